/* Plain C: training steps of a dense network on one batch, as a compiler optimizes them; no BLAS, no library.

   theta holds W (n_in, n_out), b (n_out), W, b, ... end to end, as in nnlib; arrays are row after row, (N, D).
   The other names are those of peers.py.  `work` has room for 2 N (sum of sizes) + P numbers. */

#include <math.h>
#include <string.h>

enum { SGD, MOMENTUM, ADAM };

/* out = x W + b */
static void forward(int n, int n_in, int n_out, const float *restrict x, const float *restrict W,
                    const float *restrict b, float *restrict out) {
    for (int r = 0; r < n; r++) {
        for (int j = 0; j < n_out; j++) out[r * n_out + j] = b[j];
        for (int i = 0; i < n_in; i++)
            for (int j = 0; j < n_out; j++) out[r * n_out + j] += x[r * n_in + i] * W[i * n_out + j];
    }
}

/* dW = x^T dout, db = the sum of dout over the batch */
static void gradients(int n, int n_in, int n_out, const float *restrict x, const float *restrict dout,
                      float *restrict dW, float *restrict db) {
    memset(dW, 0, sizeof(float) * n_in * n_out);
    memset(db, 0, sizeof(float) * n_out);
    for (int r = 0; r < n; r++) {
        for (int i = 0; i < n_in; i++)
            for (int j = 0; j < n_out; j++) dW[i * n_out + j] += x[r * n_in + i] * dout[r * n_out + j];
        for (int j = 0; j < n_out; j++) db[j] += dout[r * n_out + j];
    }
}

/* dx = dout W^T, times the slope of the activation that made x */
static void backward(int n, int n_in, int n_out, int relu, const float *restrict x, const float *restrict dout,
                     const float *restrict W, float *restrict dx) {
    for (int r = 0; r < n; r++)
        for (int i = 0; i < n_in; i++) {
            float sum = 0, a = x[r * n_in + i];
            for (int j = 0; j < n_out; j++) sum += dout[r * n_out + j] * W[i * n_out + j];
            dx[r * n_in + i] = sum * (relu ? (a > 0) : 1 - a * a);
        }
}

/* The mean loss; its gradient by z takes the place of z. */
static float loss(int n, int k, int softmax, float *restrict z, const float *restrict y) {
    float total = 0;
    if (!softmax) {
        for (int i = 0; i < n * k; i++) {
            float e = expf(-fabsf(z[i])), positive = z[i] > 0;
            total += fmaxf(z[i], 0) - z[i] * y[i] + logf(1 + e);
            z[i] = ((positive + (1 - positive) * e) / (1 + e) - y[i]) / (n * k);
        }
        return total / (n * k);
    }
    for (int r = 0; r < n; r++) {
        float *row = z + r * k, largest = row[0], sum = 0, target = row[(int)y[r]];
        for (int j = 1; j < k; j++) largest = fmaxf(largest, row[j]);
        for (int j = 0; j < k; j++) sum += row[j] = expf(row[j] - largest);
        total += logf(sum) + largest - target;
        for (int j = 0; j < k; j++) row[j] /= sum * n;
        row[(int)y[r]] -= 1.0f / n;
    }
    return total / n;
}

static void update(int n, int optimizer, float rate, float momentum, int t, float *restrict theta,
                   const float *restrict grad, float *restrict m, float *restrict v) {
    if (optimizer == SGD)
        for (int i = 0; i < n; i++) theta[i] -= rate * grad[i];
    else if (optimizer == MOMENTUM)
        for (int i = 0; i < n; i++) theta[i] -= rate * (m[i] = momentum * m[i] + grad[i]);
    else {
        float step = rate / (1 - powf(0.9f, t)), root = 1 / (1 - powf(0.999f, t));
        for (int i = 0; i < n; i++) {
            m[i] = 0.9f * m[i] + 0.1f * grad[i];
            v[i] = 0.999f * v[i] + 0.001f * grad[i] * grad[i];
            theta[i] -= step * m[i] / (sqrtf(v[i] * root) + 1e-8f);
        }
    }
}

void train(int n_layers, const int *sizes, int n, int relu, int softmax, int optimizer, float rate, float momentum,
           const float *x, const float *y, float *theta, float *m, float *v, float *work, int t, int n_steps,
           float *losses) {
    const float *a[32];
    float *W[32], *b[32], *dW[32], *db[32], *h[32], *d[32];
    int n_parameters = 0;
    a[0] = x;
    for (int l = 0; l < n_layers; l++) {
        W[l] = theta + n_parameters, b[l] = W[l] + sizes[l] * sizes[l + 1];
        n_parameters += (sizes[l] + 1) * sizes[l + 1];
    }
    float *grad = work;
    work += n_parameters;
    for (int l = 0; l < n_layers; l++) {
        dW[l] = grad + (W[l] - theta), db[l] = grad + (b[l] - theta);
        h[l] = work, d[l] = work + n * sizes[l + 1], a[l + 1] = h[l];
        work += 2 * n * sizes[l + 1];
    }
    for (int s = 0; s < n_steps; s++) {
        for (int l = 0; l < n_layers; l++) {
            forward(n, sizes[l], sizes[l + 1], a[l], W[l], b[l], h[l]);
            if (l + 1 == n_layers) break;
            for (int i = 0; i < n * sizes[l + 1]; i++) h[l][i] = relu ? fmaxf(h[l][i], 0) : tanhf(h[l][i]);
        }
        float *dout = h[n_layers - 1];
        losses[s] = loss(n, sizes[n_layers], softmax, dout, y);
        for (int l = n_layers - 1; l >= 0; l--) {
            gradients(n, sizes[l], sizes[l + 1], a[l], dout, dW[l], db[l]);
            if (l) backward(n, sizes[l], sizes[l + 1], relu, a[l], dout, W[l], d[l - 1]);
            if (l) dout = d[l - 1];
        }
        update(n_parameters, optimizer, rate, momentum, t + s + 1, theta, grad, m, v);
    }
}
