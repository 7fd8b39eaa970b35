// Draw one frame of an interactive figure: panels as one SVG in the page's own colors, and the sentence under it.

const GAP = 28; // px between panels
const esc = (t) => String(t).replace(/[&<>"]/g, (c) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" })[c]);
const r1 = (v) => Math.round(v * 10) / 10;
const color = (role) => `var(--nn-${role})`;

// ---- numbers and ticks ----------------------------------------------------------------------------------------

const SUPER = { "-": "⁻", 0: "⁰", 1: "¹", 2: "²", 3: "³", 4: "⁴", 5: "⁵", 6: "⁶", 7: "⁷", 8: "⁸", 9: "⁹" };
const power = (k) => (k === 0 ? "1" : k === 1 ? "10" : "10" + [...String(k)].map((c) => SUPER[c]).join(""));
const minus = (t) => t.replace(/-/g, "−");

function short(v) {
  if (!Number.isFinite(v)) return Number.isNaN(v) ? "NaN" : v > 0 ? "∞" : "−∞";
  const a = Math.abs(v);
  if (a !== 0 && (a < 1e-3 || a >= 1e5)) {
    const [m, e] = v.toExponential(1).split("e");
    return minus(m.replace(/\.0$/, "")) + "·" + power(Number(e));
  }
  return minus(String(Number(v.toPrecision(3))));
}

function linearTicks(lo, hi, count) {
  const raw = (hi - lo) / Math.max(1, count);
  const unit = 10 ** Math.floor(Math.log10(raw));
  const step = unit * [1, 2, 2.5, 5, 10].find((m) => m * unit >= raw * 0.999);
  const digits = Math.max(0, -Math.floor(Math.log10(step)) + (step / unit === 2.5 ? 1 : 0));
  const out = [];
  for (let k = Math.ceil(lo / step - 1e-9); k * step <= hi + step * 1e-9; k++) {
    const v = k * step;
    const big = Math.max(Math.abs(lo), Math.abs(hi));
    out.push([v, big >= 1e5 || big < 1e-3 ? short(v) : minus((Math.abs(v) < step / 1e6 ? 0 : v).toFixed(Math.min(digits, 8)))]);
  }
  return out;
}

function logTicks(lo, hi, count) {
  const a = Math.ceil(Math.log10(lo) - 1e-9), b = Math.floor(Math.log10(hi) + 1e-9);
  const out = [];
  if (b - a >= 1) {
    const skip = Math.ceil((b - a + 1) / Math.max(2, count));
    for (let k = a; k <= b; k++) if ((k - a) % skip === 0) out.push([10 ** k, power(k)]);
    return out;
  }
  for (let k = a - 1; k <= b; k++)
    for (const m of [1, 2, 5]) {
      const v = m * 10 ** k;
      if (v >= lo * 0.999 && v <= hi * 1.001) out.push([v, short(v)]);
    }
  return out;
}

let ruler, family = "sans-serif";
function textWidth(text, size = 12, weight = 400) {
  ruler ??= document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  ruler.font = `${weight} ${size}px ${family}`;
  return ruler.measureText(text).width;
}

// As many ticks as stand side by side without touching.
function fitting(ticks, range, X, width) {
  for (let count = Math.max(2, Math.floor(width / 36)); count > 1; count--) {
    const out = ticks(...range, count);
    const touch = out.some(([v, t], k) => k && X(v) - X(out[k - 1][0]) < (textWidth(t) + textWidth(out[k - 1][1])) / 2 + 16);
    if (out.length && !touch && out.length <= 9) return out;
  }
  return ticks(...range, 1);
}

// ---- the ground a plot stands on: axes, grid, title, legend ------------------------------------------------------

const scale = (range, from, to, log) => {
  const [lo, hi] = log ? range.map(Math.log10) : range;
  const f = (v) => from + ((to - from) * ((log ? Math.log10(v) : v) - lo)) / (hi - lo);
  // far outside is as good as just outside, and keeps the path's numbers small
  return (v) => {
    const p = f(v);
    return Number.isNaN(p) ? NaN : Math.max(-2e3, Math.min(4e3, p));
  };
};

const text = (x, y, t, cls, more = "") => `<text x="${r1(x)}" y="${r1(y)}" class="${cls}" ${more}>${esc(t)}</text>`;

function symbol(kind, x, y, r, fill) {
  x = r1(x), y = r1(y);
  const s = `fill="${fill}" class="nn-dot"`;
  if (kind % 4 === 1) return `<rect x="${r1(x - r * 0.9)}" y="${r1(y - r * 0.9)}" width="${r1(r * 1.8)}" height="${r1(r * 1.8)}" ${s}/>`;
  if (kind % 4 === 2) return `<path d="M${x} ${r1(y - r * 1.2)}l${r1(r * 1.1)} ${r1(r * 2)}h${r1(-r * 2.2)}z" ${s}/>`;
  if (kind % 4 === 3) return `<path d="M${x} ${r1(y - r * 1.3)}l${r1(r * 1.3)} ${r1(r * 1.3)}l${r1(-r * 1.3)} ${r1(r * 1.3)}l${r1(-r * 1.3)} ${r1(-r * 1.3)}z" ${s}/>`;
  return `<circle cx="${x}" cy="${y}" r="${r}" ${s}/>`;
}

// legend entries: {label, color, shape: "line" | "dash" | "box" | 0..3}
function legendRow(entries, x, y, width) {
  let out = "", at = x, rows = 1;
  for (const e of entries) {
    const w = 22 + textWidth(e.label, 12.5) + 16;
    if (at > x && at + w - 16 > x + width) (at = x), (y += 18), rows++;
    const c = color(e.color);
    if (e.shape === "line" || e.shape === "dash")
      out += `<path d="M${r1(at)} ${y - 4}h16" class="nn-line" stroke="${c}" ${e.shape === "dash" ? 'stroke-dasharray="5 4"' : ""}/>`;
    else if (e.shape === "box") out += `<rect x="${r1(at + 2)}" y="${y - 10}" width="12" height="12" rx="2" fill="${c}" ${e.pale ? 'fill-opacity="0.35"' : ""}/>`;
    else out += symbol(e.shape, at + 8, y - 4, 4, c);
    out += text(at + 22, y, e.label, "nn-key");
    at += w;
  }
  return { svg: out, rows: entries.length ? rows : 0 };
}

// A text in as many lines as its width asks for.
function wrap(t, width, size, weight) {
  const lines = [];
  for (const word of t.split(" ")) {
    const longer = lines.length ? lines.at(-1) + " " + word : word;
    if (lines.length && textWidth(longer, size, weight) <= width) lines[lines.length - 1] = longer;
    else lines.push(word);
  }
  return lines;
}

// Lays out one plot and hands back where its data area is.
function ground(p, box, { x, y, xLog, yLog, entries = [], names, right = 10, grid = true, bar }) {
  let top = 0, svg = "";
  if (p.title) for (const line of wrap(p.title, box.w, 13.5, 600)) (svg += text(0, top + 14, line, "nn-heading")), (top += 18);
  if (top) top += 6;
  const key = legendRow(entries, 0, top + 13, box.w);
  if (key.rows) (svg += key.svg), (top += 18 * key.rows + 6);
  let yTicks = y ? (yLog ? logTicks : linearTicks)(...y, box.h > 240 ? 5 : 4) : [];
  const left = y ? Math.max(24, Math.max(...yTicks.map(([, t]) => textWidth(t)), 0) + 10) : 0;
  if (p.y_label || bar) {
    if (bar) svg += bar.draw(box.w - right, top + 12);
    if (bar && bar.width + textWidth(p.y_label, 12.5) + 24 > box.w - right) top += 20;
    const lines = p.y_label ? wrap(p.y_label, box.w, 12.5) : [];
    lines.forEach((line, k) => (svg += text(0, top + 12 + 15 * k, line, "nn-label")));
    top += 25 + 15 * Math.max(0, lines.length - 1);
  }
  if (!top) top = 8;
  const below = p.x_label ? wrap(p.x_label, box.w - 12, 12.5) : [];
  const bottom = 22 + (below.length ? 3 + 15 * below.length : 0) + (names?.extra ?? 0);
  const area = { l: left, t: top, r: box.w - right, b: box.h - bottom };
  const X = x && scale(x, area.l, area.r, xLog), Y = y && scale(y, area.b, area.t, yLog);
  if (grid) {
    for (const [v] of yTicks) svg += `<path d="M${r1(area.l)} ${r1(Y(v))}H${r1(area.r)}" class="${v === 0 && !yLog ? "nn-zero" : "nn-grid"}"/>`;
    if (!yTicks.some(([v]) => v === y[0])) svg += `<path d="M${r1(area.l)} ${r1(area.b)}H${r1(area.r)}" class="nn-grid"/>`;
  }
  for (const [v, t] of yTicks) svg += text(area.l - 7, Y(v) + 4, t, "nn-tick", 'text-anchor="end"');
  if (x && !names) {
    for (const [v, t] of fitting(xLog ? logTicks : linearTicks, x, X, area.r - area.l)) {
      const at = X(v), half = textWidth(t) / 2;
      svg += `<path d="M${r1(at)} ${r1(area.b)}v4" class="nn-axis"/>` + text(Math.min(at, box.w - half), area.b + 17, t, "nn-tick", 'text-anchor="middle"');
    }
  }
  below.forEach((line, k) => {
    const half = textWidth(line, 12.5) / 2, at = Math.max(half, Math.min(box.w - half, (area.l + area.r) / 2));
    svg += text(at, box.h - 4 - 15 * (below.length - 1 - k), line, "nn-label", 'text-anchor="middle"');
  });
  return { svg, area, X, Y };
}

let serial = 0;
const clipped = (area, inner, pad = 0) => {
  const id = "nn-clip-" + ++serial;
  return `<clipPath id="${id}"><rect x="${r1(area.l - pad)}" y="${r1(area.t - pad)}" width="${r1(area.r - area.l + 2 * pad)}" height="${r1(area.b - area.t + 2 * pad)}"/></clipPath><g clip-path="url(#${id})">${inner}</g>`;
};

// ---- lines and points ---------------------------------------------------------------------------------------------

const seriesXY = (p, i) => {
  const s = p.series[i];
  if (s.shape.length === 2) return { n: s.shape[0], x: (k) => s.data[2 * k], y: (k) => s.data[2 * k + 1], pair: true };
  return { n: s.shape[0], x: p.x ? (k) => p.x.data[k] : (k) => k, y: (k) => s.data[k], pair: false };
};

// A walk has a beginning and an end; two points are a straight line, and over a plot's own axes x that only grows is a curve.
function walks(s, onField) {
  if (!s.pair || s.n === 2) return false;
  if (onField) return true;
  for (let k = 1; k < s.n; k++) if (!(s.x(k) > s.x(k - 1))) return true;
  return s.n === 1;
}

function trace(xs, n, X, Y, steps) {
  let d = "", pen = "M", before;
  for (let k = 0; k < n; k++) {
    const x = X(xs.x(k)), y = Y(xs.y(k));
    if (Number.isNaN(x) || Number.isNaN(y)) { pen = "M"; continue; }
    if (steps && pen === "L") d += `L${r1(x)} ${r1(before)}`;
    d += `${pen}${r1(x)} ${r1(y)}`;
    (pen = "L"), (before = y);
  }
  return d;
}

function drawLines(p, X, Y, area, onField = false) {
  let out = "";
  p.series.forEach((_, i) => {
    const s = seriesXY(p, i), c = color(p.colors[i]), band = p.bands[i];
    if (band) {
      const lo = { x: s.x, y: (k) => band[0].data[k] }, hi = { x: (k) => s.x(s.n - 1 - k), y: (k) => band[1].data[s.n - 1 - k] };
      out += `<path d="${trace(lo, s.n, X, Y)}${trace(hi, s.n, X, Y).replace("M", "L")}Z" fill="${c}" class="nn-band"/>`;
    }
  });
  p.series.forEach((_, i) => {
    const s = seriesXY(p, i), c = color(p.colors[i]);
    const d = trace(s, s.n, X, Y, p.steps);
    const walk = walks(s, onField);
    if (onField || walk) out += `<path d="${d}" class="nn-halo"/>`;
    out += `<path d="${d}" class="nn-line${walk ? " nn-path" : ""}" stroke="${c}" ${p.dashes[i] ? 'stroke-dasharray="6 4"' : ""}/>`;
    if (walk && s.n === 1) out += symbol(0, X(s.x(0)), Y(s.y(0)), 4.5, c);
    else if (walk) {
      for (let k = 1; s.n <= 80 && k < s.n - 1; k++) {
        const x = X(s.x(k)), y = Y(s.y(k));
        if (x === x && y === y) out += `<circle cx="${r1(x)}" cy="${r1(y)}" r="2" fill="${c}"/>`;
      }
      out += `<circle cx="${r1(X(s.x(0)))}" cy="${r1(Y(s.y(0)))}" r="4.5" class="nn-ring" stroke="${c}"/>`;
      let last = s.n - 1;
      while (last > 0 && !(X(s.x(last)) === X(s.x(last)) && Y(s.y(last)) === Y(s.y(last)))) last--;
      out += symbol(0, X(s.x(last)), Y(s.y(last)), 4.5, c);
    }
  });
  for (const [x, y, t] of p.marks) {
    if (x === null) {
      out += `<path d="M${r1(area.l)} ${r1(Y(y))}H${r1(area.r)}" class="nn-rule"/>` + text(area.r - 4, Y(y) - 5, t, "nn-mark", 'text-anchor="end"');
    } else if (y === null) {
      const right = X(x) < (area.l + area.r) / 2;
      out += `<path d="M${r1(X(x))} ${r1(area.t)}V${r1(area.b)}" class="nn-rule"/>` + text(X(x) + (right ? 5 : -5), area.t + 12, t, "nn-mark", right ? "" : 'text-anchor="end"');
    } else {
      const right = X(x) < (area.l + area.r) / 2, low = Y(y) < area.t + 16;
      out += `<circle cx="${r1(X(x))}" cy="${r1(Y(y))}" r="5" class="nn-ring nn-ink"/>` + text(X(x) + (right ? 9 : -9), Y(y) + (low ? 16 : -7), t, "nn-mark", right ? "" : 'text-anchor="end"');
    }
  }
  return out;
}

function drawPoints(p, X, Y) {
  let out = "";
  const n = p.xy.shape[0], r = n > 150 ? 2.6 : n > 60 ? 3.2 : 4;
  for (let k = 0; k < n; k++) {
    const x = X(p.xy.data[2 * k]), y = Y(p.xy.data[2 * k + 1]), c = p.classes ? p.classes.data[k] : 0;
    if (!(x === x && y === y)) continue;
    out += symbol(c, x, y, r, color(p.colors[c]));
    if (p.texts.length) out += text(x + 7, y - 5, p.texts[k], "nn-mark");
  }
  return out;
}

const keys = (p) =>
  p.kind === "points"
    ? p.labels.map((label, i) => ({ label, color: p.colors[i], shape: p.classes ? i % 4 : 0 }))
    : p.labels.map((label, i) => ({ label, color: p.colors[i], shape: p.dashes[i] ? "dash" : "line" })).filter((e) => e.label);

// Names at the ends of their curves, pushed apart where they would meet.
function endLabels(p, Y, area) {
  const ends = p.series.map((_, i) => {
    const s = seriesXY(p, i);
    let k = s.n - 1;
    while (k > 0 && Number.isNaN(Y(s.y(k)))) k--;
    const y = Y(s.y(k));
    return { y: Math.max(area.t + 4, Math.min(area.b - 2, Number.isNaN(y) ? area.b : y)), i };
  });
  ends.sort((a, b) => a.y - b.y);
  for (let k = 1; k < ends.length; k++) ends[k].y = Math.max(ends[k].y, ends[k - 1].y + 14);
  let low = area.b + 4;
  for (let k = ends.length - 1; k >= 0; k--) (ends[k].y = Math.min(ends[k].y, low)), (low = ends[k].y - 14);
  return ends.map(({ y, i }) => text(area.r + 7, y + 4, p.labels[i], "nn-end", `style="fill:color-mix(in srgb, ${color(p.colors[i])} 80%, var(--nn-text))"`)).join("");
}

const PANELS = {
  lines(p, box) {
    const curves = p.series.every((s) => s.shape.length === 1);
    const widest = Math.max(0, ...p.labels.map((t) => textWidth(t, 12.5, 600)));
    const direct = curves && p.labels.length > 0 && p.labels.length <= 6 && p.labels.every(Boolean) && widest < Math.min(120, box.w * 0.28) && box.w > 230;
    const g = ground(p, box, {
      x: p.x_range, y: p.y_range, xLog: p.log.includes("x"), yLog: p.log.includes("y"),
      entries: direct ? [] : keys(p), right: direct ? widest + 14 : 12,
    });
    return g.svg + clipped(g.area, drawLines(p, g.X, g.Y, g.area), 2) + (direct ? endLabels(p, g.Y, g.area) : "");
  },

  points(p, box) {
    const g = ground(p, box, { x: p.x_range, y: p.y_range, entries: keys(p) });
    return g.svg + clipped(g.area, drawPoints(p, g.X, g.Y), 5);
  },

  field(p, box, el) {
    const entries = p.overlay.flatMap(keys);
    if (p.classes) entries.unshift(...p.labels.map((label, i) => ({ label, color: `class${i}`, shape: "box", pale: true })));
    const ramp = colors(el, p);
    const [low, high] = p.v_range.map(short), bar = p.classes || p.numbers ? null : {
      width: 76 + textWidth(low) + textWidth(high) + textWidth(p.v_label, 12.5), draw: (right, y) => {
      const w = 64, at = right - textWidth(high) - 6 - w;
      const stops = [0, 0.25, 0.5, 0.75, 1].map((f) => `<stop offset="${f}" stop-color="rgb(${ramp(f)})"/>`).join("");
      const id = "nn-ramp-" + ++serial;
      return `<linearGradient id="${id}">${stops}</linearGradient>` +
        text(at - textWidth(low) - 14, y, p.v_label, "nn-label", 'text-anchor="end"') + text(at - 6, y, low, "nn-tick", 'text-anchor="end"') +
        `<rect x="${r1(at)}" y="${y - 9}" width="${w}" height="10" fill="url(#${id})" class="nn-ramp"/>` + text(right, y, high, "nn-tick", 'text-anchor="end"');
    } };
    const [h, w] = p.values.shape;
    const dx = w > 1 ? (p.x[1] - p.x[0]) / (w - 1) : 1, dy = h > 1 ? (p.y[1] - p.y[0]) / (h - 1) : 1;
    const cells = p.numbers || p.classes ? 0.5 : 0; // whole cells at the rim, or the exact range
    const g = ground(p, box, {
      x: [p.x[0] - cells * dx, p.x[1] + cells * dx], y: [p.y[0] - cells * dy, p.y[1] + cells * dy], entries, grid: false, bar,
    });
    const { area, X, Y } = g;
    const l = X(p.x[0] - dx / 2), r = X(p.x[1] + dx / 2), t = Y(p.y[1] + dy / 2), b = Y(p.y[0] - dy / 2);
    let inner = `<image href="${paint(p, ramp)}" x="${r1(l)}" y="${r1(t)}" width="${r1(r - l)}" height="${r1(b - t)}" preserveAspectRatio="none" style="image-rendering:${cells ? "pixelated" : "auto"}"/>`;
    if (p.levels) inner += `<path d="${contours(p, X, Y, dx, dy)}" class="nn-contour"/>`;
    if (p.numbers)
      for (let i = 0; i < h; i++)
        for (let j = 0; j < w; j++) {
          const v = p.values.data[i * w + j];
          inner += text(X(p.x[0] + j * dx), Y(p.y[0] + i * dy) + 4, short(v), "nn-cell", 'text-anchor="middle"');
        }
    for (const o of p.overlay) inner += o.kind === "lines" ? drawLines(o, X, Y, area, true) : drawPoints(o, X, Y);
    return g.svg + clipped(area, inner) + `<rect x="${r1(area.l)}" y="${r1(area.t)}" width="${r1(area.r - area.l)}" height="${r1(area.b - area.t)}" class="nn-frame"/>`;
  },

  bars(p, box) {
    const two = p.heights.shape.length === 2, groups = two ? p.heights.shape[0] : 1, n = p.names.length;
    const wide = Math.max(...p.names.map((t) => textWidth(t))), slot = (box.w - 40) / n, turned = wide > slot - 4;
    const g = ground(p, box, {
      y: p.y_range, names: { extra: turned ? Math.min(80, wide * 0.6) - 4 : 0 },
      entries: p.labels.map((label, i) => ({ label, color: p.colors[i], shape: "box" })),
    });
    const { area, Y } = g, step = (area.r - area.l) / n, w = Math.min(56, (step * 0.72) / groups);
    let out = "";
    for (let j = 0; j < n; j++) {
      const mid = area.l + (j + 0.5) * step;
      for (let k = 0; k < groups; k++) {
        const v = p.heights.data[k * n + j];
        if (Number.isNaN(v)) continue;
        const x = mid + (k - groups / 2) * w, a = Y(Math.max(p.y_range[0], 0)), b = Y(Math.min(p.y_range[1], Math.max(p.y_range[0], v)));
        const c = color(p.colors[groups > 1 ? k : p.colors.length > 1 ? j : 0]);
        out += `<rect x="${r1(x + 0.5)}" y="${r1(Math.min(a, b))}" width="${r1(w - 1)}" height="${r1(Math.max(0.5, Math.abs(a - b)))}" fill="${c}"/>`;
        if (p.numbers && textWidth(short(v), 11) < w * groups * 1.3 + 6 && groups * n <= 24)
          out += text(x + w / 2, v < 0 ? b + 13 : b - 5, short(v), "nn-value", 'text-anchor="middle"');
      }
      out += turned
        ? text(mid + 4, area.b + 14, p.names[j], "nn-tick", `text-anchor="end" transform="rotate(-35 ${r1(mid + 4)} ${r1(area.b + 14)})"`)
        : text(mid, area.b + 17, p.names[j], "nn-tick", 'text-anchor="middle"');
    }
    return g.svg + out;
  },

  histogram(p, box) {
    const two = p.counts.shape.length === 2, groups = two ? p.counts.shape[0] : 1, n = p.edges.shape[0] - 1;
    const g = ground(p, box, {
      x: p.x_range, y: p.y_range, entries: p.labels.map((label, i) => ({ label, color: p.colors[i], shape: "box" })),
    });
    let out = "";
    for (let k = 0; k < groups; k++) {
      let d = `M${r1(g.X(p.edges.data[0]))} ${r1(g.Y(0))}`;
      for (let j = 0; j < n; j++) d += `V${r1(g.Y(p.counts.data[k * n + j]))}H${r1(g.X(p.edges.data[j + 1]))}`;
      out += `<path d="${d}V${r1(g.Y(0))}Z" class="nn-histogram" fill="${color(p.colors[k])}" stroke="${color(p.colors[k])}"/>`;
    }
    return g.svg + clipped(g.area, out);
  },

  network(p, box) {
    const layers = p.sizes.length, most = Math.max(...p.sizes);
    let out = "", top = 0;
    if (p.title) for (const line of wrap(p.title, box.w, 13.5, 600)) (out += text(0, top + 14, line, "nn-heading")), (top += 18);
    if (top) top += 8;
    if (p.layer_names.length) top += 20;
    const named = p.names.length > 0;
    const down = descends(p, box.whole); // layers from top to bottom where there is no room beside each other
    const R = down ? 22 : Math.max(9, Math.min(24, (box.h - top) / most / 3.2, box.w / layers / 4.2));
    const room = (down ? box.w - 8 : box.h - top) / most;
    const across = (l, i) => (i - (p.sizes[l] - 1) / 2) * room;
    const along = (l, from, to) => from + (l * (to - from)) / (layers - 1);
    const x = (l, i) => (down ? box.w / 2 + across(l, i) : along(l, R + 16, box.w - R - 16));
    const y = (l, i) => (down ? along(l, top + R + 18, box.h - R - 20) : top + (box.h - top) / 2 + across(l, i) + (named ? 7 : 0));
    p.layer_names.forEach((t, l) => {
      const half = textWidth(t, 12.5) / 2, at = Math.max(half, Math.min(box.w - half, x(l, 0)));
      out += down ? text(0, y(l) - R - 8, t, "nn-label") : text(at, top - 4, t, "nn-label", 'text-anchor="middle"');
    });
    const lit = new Set(p.highlight.map(String)), any = lit.size > 0;
    const arrow = "nn-arrow-" + ++serial;
    out += `<marker id="${arrow}" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="9" markerHeight="9" markerUnits="userSpaceOnUse" orient="auto-start-reverse"><path d="M0 0L8 4L0 8z" class="nn-arrow"/></marker>`;
    let edges = "", over = "", labels = "";
    const placed = p.sizes.flatMap((n, l) => Array.from({ length: n }, (_, i) => [x(l, i), y(l, i), 2 * R, R])); // what numbers keep off: nodes, other numbers
    function free(spots, wide) {
      const gap = ([x, y]) => Math.min(99, ...placed.map(([a, b, w, h]) => Math.max(Math.abs(x - a) - (wide + w) / 2, Math.abs(y - b) - 8 - h)));
      const best = spots.find((s) => gap(s) > 0) ?? spots.reduce((a, b) => (gap(b) > gap(a) ? b : a));
      placed.push([...best, wide, 7]);
      return best;
    }
    for (let l = 0; l + 1 < layers; l++)
      for (let i = 0; i < p.sizes[l]; i++)
        for (let j = 0; j < p.sizes[l + 1]; j++) {
          const w = p.weights?.[l]?.data[i * p.sizes[l + 1] + j];
          if (Number.isNaN(w)) continue;
          const on = lit.has(String([l, i, j]));
          const size = w === undefined ? 1.4 : 0.8 + 4 * Math.min(1, Math.abs(w) / p.w_range[1]);
          const c = w === undefined || w === 0 ? "var(--nn-muted)" : color(w > 0 ? "positive" : "negative");
          const [x0, y0, x1, y1] = [x(l, i), y(l, i), x(l + 1, j), y(l + 1, j)];
          const len = Math.hypot(x1 - x0, y1 - y0), ux = (x1 - x0) / len, uy = (y1 - y0) / len;
          const d = `M${r1(x0 + ux * (R + 1))} ${r1(y0 + uy * (R + 1))}L${r1(x1 - ux * (R + 3))} ${r1(y1 - uy * (R + 3))}`;
          const line = `<path d="${d}" fill="none" stroke="${c}" stroke-width="${r1(size)}" class="${any && !on ? "nn-dim" : ""}"/>`;
          if (on) over += `<path d="${d}" class="nn-lit" stroke-width="${r1(size + 4)}" />${line}<path d="${d}" class="nn-lit-head" marker-${p.backward ? "start" : "end"}="url(#${arrow})"/>`;
          else edges += line;
          const t = p.edge_text[l]?.[i]?.[j], crowded = !down && x1 - x0 - 2 * R < 84 && p.sizes[l] * p.sizes[l + 1] > 2;
          if (t && (on || !any || !crowded)) {
            const wide = textWidth(t, 11.5) + 8;
            const [tx, ty] = free([0.5, 0.32, 0.66, 0.4, 0.58, 0.26, 0.74].map((f) => [x0 + (x1 - x0) * f, y0 + (y1 - y0) * f]), wide);
            labels += `<rect x="${r1(tx - wide / 2)}" y="${r1(ty - 8)}" width="${r1(wide)}" height="16" rx="3" class="nn-edge-ground"/>` +
              text(tx, ty + 4, t, "nn-edge-text" + (any && !on ? " nn-soft" : ""), 'text-anchor="middle"');
          }
        }
    out += edges + over + labels;
    for (let l = 0; l < layers; l++)
      for (let i = 0; i < p.sizes[l]; i++) {
        const v = p.values?.[l]?.data[i], on = lit.has(String([l, i])), cx = r1(x(l, i)), cy = r1(y(l, i));
        const has = v !== undefined && !Number.isNaN(v);
        const tint = has ? Math.min(1, Math.abs(v) / p.v_range[1]) : 0;
        out += `<circle cx="${cx}" cy="${cy}" r="${r1(R)}" class="nn-node-ground"/><circle cx="${cx}" cy="${cy}" r="${r1(R)}" class="nn-node${on ? " nn-node-lit" : ""}" style="fill:${color(v < 0 ? "negative" : "positive")};fill-opacity:${(0.06 + 0.4 * tint).toFixed(2)}"/>`;
        const given = p.node_text[l]?.[i];
        const inside = given ?? (has ? short(v) : "");
        const tight = textWidth(inside, 12, 600) > 2 * R - 5, small = textWidth(inside, 10.5, 600) > 2 * R - 3;
        if (inside) out += small ? text(cx, cy + R + 14, inside, "nn-node-text nn-below", 'text-anchor="middle"') : text(cx, cy + 4, inside, "nn-node-text" + (tight ? " nn-tight" : ""), 'text-anchor="middle"');
        const name = p.names[l]?.[i];
        if (name) out += (inside && !small) || textWidth(name, 12, 600) > 2 * R - 4 ? text(cx, cy - R - 5, name, "nn-name", 'text-anchor="middle"') : text(cx, cy + 4, name, "nn-node-text", 'text-anchor="middle"');
      }
    return out;
  },
};

// ---- fields: colors and contour lines -----------------------------------------------------------------------------

function rgb(el, name) {
  ruler ??= document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  ruler.fillStyle = "#888888";
  ruler.fillStyle = getComputedStyle(el).getPropertyValue("--nn-" + name).trim();
  const s = ruler.fillStyle; // the browser's canonical form: #rrggbb
  return [1, 3, 5].map((k) => parseInt(s.slice(k, k + 2), 16));
}
const mix = (a, b, f) => a.map((v, k) => Math.round(v + (b[k] - v) * f));

function colors(el, p) {
  if (p.classes) {
    const ground = rgb(el, "ground");
    const cls = Array.from({ length: 10 }, (_, i) => mix(ground, rgb(el, "class" + i), 0.3));
    return (v) => cls[v];
  }
  if (p.diverging) {
    const [low, high] = p.diverging === "class" ? ["class0", "class1"] : ["negative", "positive"];
    const m = rgb(el, "middle"), [a, b] = [low, high].map((role) => mix(m, rgb(el, role), 0.78));
    return (f) => (f < 0.5 ? mix(m, a, 1 - 2 * f) : mix(m, b, 2 * f - 1));
  }
  const stops = [0, 1, 2, 3].map((k) => rgb(el, "ramp" + k));
  return (f) => {
    const g = Math.min(2.9999, Math.max(0, f * 3)), k = Math.floor(g);
    return mix(stops[k], stops[k + 1], g - k);
  };
}

function paint(p, ramp) {
  const [h, w] = p.values.shape, canvas = document.createElement("canvas");
  (canvas.width = w), (canvas.height = h);
  const ctx = canvas.getContext("2d"), img = ctx.createImageData(w, h), [lo, hi] = p.v_range;
  for (let i = 0; i < h; i++)
    for (let j = 0; j < w; j++) {
      const v = p.values.data[i * w + j], at = 4 * ((h - 1 - i) * w + j);
      if (Number.isNaN(v)) continue;
      const c = ramp(p.classes ? v : Math.min(1, Math.max(0, (v - lo) / (hi - lo))));
      img.data.set([...c, 255], at);
    }
  ctx.putImageData(img, 0, 0);
  return canvas.toDataURL();
}

function contours(p, X, Y, dx, dy) {
  const [h, w] = p.values.shape, v = p.values.data;
  let d = "";
  for (const level of p.levels)
    for (let i = 0; i + 1 < h; i++)
      for (let j = 0; j + 1 < w; j++) {
        const q = [v[i * w + j], v[i * w + j + 1], v[(i + 1) * w + j + 1], v[(i + 1) * w + j]];
        if (q.some(Number.isNaN)) continue;
        const cuts = [];
        const corner = [[j, i], [j + 1, i], [j + 1, i + 1], [j, i + 1]];
        for (let e = 0; e < 4; e++) {
          const a = q[e], b = q[(e + 1) % 4];
          if (a < level === b < level) continue;
          const f = (level - a) / (b - a), [ax, ay] = corner[e], [bx, by] = corner[(e + 1) % 4];
          cuts.push([ax + f * (bx - ax), ay + f * (by - ay)]);
        }
        if (cuts.length === 4 && (q[0] < level) === ((q[0] + q[1] + q[2] + q[3]) / 4 < level)) cuts.push(cuts.shift());
        for (let e = 0; e + 1 < cuts.length; e += 2)
          d += "M" + [cuts[e], cuts[e + 1]].map(([cx, cy]) => `${r1(X(p.x[0] + cx * dx))} ${r1(Y(p.y[0] + cy * dy))}`).join("L");
      }
  return d;
}

// ---- the state, as Python packed it -------------------------------------------------------------------------------

function reader(model) {
  const view = model.get("block"), table = model.get("arrays"), known = new Map();
  const bytes = view instanceof ArrayBuffer ? new Uint8Array(view) : new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
  const TYPES = { f4: Float32Array, u1: Uint8Array, q1: Uint8Array, q2: Uint16Array }, LEVELS = { q1: 254, q2: 65534 };
  const array = (number) => {
    if (known.has(number)) return known.get(number);
    const [start, code, shape, lo, hi] = table[number], Type = TYPES[code];
    const size = shape.reduce((a, b) => a * b, 1) * Type.BYTES_PER_ELEMENT;
    let data = new Type(bytes.slice(start, start + size).buffer);
    if (LEVELS[code]) data = Float64Array.from(data, (v) => (v > LEVELS[code] ? NaN : lo + (v * (hi - lo)) / LEVELS[code]));
    const out = { shape, data };
    known.set(number, out);
    return out;
  };
  const fill = (node, numbers) => {
    if (Array.isArray(node)) return node.map((n) => fill(n, numbers));
    if (node === null || typeof node !== "object") return node;
    if ("$" in node) return array(numbers[node.$]);
    return Object.fromEntries(Object.entries(node).map(([k, v]) => [k, fill(v, numbers)]));
  };
  const specs = model.get("specs"), frames = model.get("frames");
  return (index) => frames[index].map(([spec, ...numbers]) => fill(specs[spec], numbers));
}

const descends = (p, width) => width < 430 && p.sizes.length > 2 && Math.max(...p.sizes) <= 4 && p.edge_text.some(Boolean);

// How many panels stand side by side, and how wide and high each is.
function layout(panels, width) {
  const n = panels.length, weight = (p) => (p.kind === "network" && n > 1 ? 1.5 : 1);
  const total = panels.reduce((s, p) => s + weight(p), 0);
  let columns = width < 480 ? 1 : Math.min(n, 2);
  if (n === 3 && width >= 190 * total + 2 * GAP) columns = 3;
  if (n === 4 && width >= 1000) columns = 4;
  if (n > 4 && width >= 626) columns = 3;
  const rows = [];
  for (let k = 0; k < n; k += columns) rows.push(panels.slice(k, k + columns));
  let y = 0;
  const out = [];
  for (const row of rows) {
    const sum = row.reduce((s, p) => s + weight(p), 0), free = width - GAP * (row.length - 1);
    let x = 0, high = 0;
    for (const p of row) {
      const w = (free * weight(p)) / sum;
      const tall = p.kind === "network" && descends(p, width) ? 40 + 130 * p.sizes.length : p.kind === "network" ? Math.min(460, Math.min(460, Math.max(230, Math.max(...p.sizes) * (p.edge_text.some(Boolean) ? 96 : 74) + 30))) : p.kind === "field" ? w * 0.92 + 30 : w * 0.72;
      high = Math.max(high, Math.min(p.kind === "network" ? 600 : 360, Math.max(220, tall)));
      out.push({ x, y, w, whole: width });
      x += w + GAP;
    }
    out.slice(-row.length).forEach((b) => (b.h = high));
    y += high + GAP;
  }
  return { boxes: out, height: y - GAP };
}

// ---- below the picture ---------------------------------------------------------------------------------------------

// Each try is a button that sets all controls; -> what to do when they have moved.
function tries(model, el, setting) {
  const all = model.get("tries");
  if (!all.length) return () => {};
  el.insertAdjacentHTML(
    "beforeend",
    `<div class="nn-tries"><span class="nn-small">Try it</span><ul>` +
      all.map((t) => `<li><button type="button">${esc(t.text)}</button></li>`).join("") + `</ul></div>`,
  );
  const buttons = [...el.querySelectorAll(".nn-tries button")];
  buttons.forEach((button, n) =>
    button.addEventListener("click", () => {
      all[n].place.forEach((at, k) => model.set("setting_" + k, at));
      model.save_changes();
    }),
  );
  return () => {
    const now = String(setting());
    buttons.forEach((button, n) => button.setAttribute("aria-pressed", String(all[n].place) === now));
  };
}

// The code that makes the frame which is shown, to be copied.
function python(model, el, setting) {
  const code = model.get("python"), controls = model.get("controls");
  if (!code) return () => {};
  el.insertAdjacentHTML(
    "beforeend",
    `<details class="nn-python"><summary>This frame in Python</summary><pre><code></code></pre>` +
      `<button type="button">Copy</button> <span role="status"></span></details>`,
  );
  const box = el.querySelector(".nn-python"), shown = box.querySelector("code"), said = box.querySelector("[role=status]");
  box.querySelector("button").addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(shown.textContent);
    } catch {
      getSelection().selectAllChildren(shown); // where the page may not write: what is selected can be copied by hand
      if (!document.execCommand("copy")) return void (said.textContent = "Selected: copy it with the keyboard.");
    }
    said.textContent = "Copied.";
  });
  return () => {
    const settings = setting().map((at, k) => `${controls[k].name}=${controls[k].python[at]}`);
    shown.textContent = code.replace("{}", () => settings.join(", "));
    said.textContent = "";
  };
}

function render({ model, el }) {
  const frame = reader(model), controls = model.get("controls"), texts = model.get("texts");
  const id = "nn" + Math.random().toString(36).slice(2, 9);
  el.classList.add("nn-chart");
  el.innerHTML =
    `<span class="nn-hidden" id="${id}t">${esc(model.get("title"))}</span>` +
    `<div class="nn-picture"></div><p class="nn-sentence" id="${id}s" aria-live="polite"></p>`;
  const picture = el.querySelector(".nn-picture"), sentence = el.querySelector(".nn-sentence");
  const setting = () => controls.map((_, k) => model.get("setting_" + k));
  const follow = [tries(model, el, setting), python(model, el, setting)];
  let width = 0;

  function draw() {
    family = getComputedStyle(picture).fontFamily || family;
    let index = 0;
    setting().forEach((at, k) => (index = index * controls[k].values.length + at));
    const panels = frame(index), { boxes, height } = layout(panels, width || 680);
    const w = width || 680;
    serial = 0;
    let inner = "";
    panels.forEach((p, k) => (inner += `<g transform="translate(${r1(boxes[k].x)} ${r1(boxes[k].y)})">${PANELS[p.kind](p, boxes[k], el)}</g>`));
    inner = inner.replace(/nn-(clip|ramp|arrow)-\d+/g, (name) => `${id}-${name}`);
    picture.innerHTML = `<svg role="img" aria-labelledby="${id}t ${id}s" viewBox="0 0 ${r1(w)} ${r1(height)}" width="${r1(w)}" height="${r1(height)}">${inner}</svg>`;
    if (sentence.textContent !== texts[index]) sentence.textContent = texts[index];
    el.dataset.frame = index;
    for (const show of follow) show();
  }

  let due = 0;
  const soon = () => (due ||= requestAnimationFrame(() => ((due = 0), draw())));
  controls.forEach((_, k) => model.on("change:setting_" + k, soon));

  // Room for the longest sentence, so that the page below stands still.
  const longest = texts.reduce((a, b) => (b.length > a.length ? b : a), "");
  function reserve() {
    const twin = sentence.cloneNode();
    twin.removeAttribute("id"), twin.removeAttribute("aria-live");
    twin.style.cssText = "position: absolute; visibility: hidden; min-height: 0; left: 0; right: 0; margin: 0";
    twin.textContent = longest;
    sentence.after(twin);
    sentence.style.minHeight = twin.offsetHeight + "px";
    twin.remove();
  }
  const sizes = new ResizeObserver(() => {
    const now = Math.floor(el.clientWidth);
    if (now && now !== width) (width = now), draw(), reserve();
  });
  sizes.observe(el);

  // Colors of fields are painted, so they follow the theme by painting again.
  const themes = new MutationObserver(soon);
  for (const node of [document.documentElement, document.body])
    themes.observe(node, { attributes: true, attributeFilter: ["data-theme", "data-jp-theme-light", "class"] });
  const paper = matchMedia("print"), dark = matchMedia("(prefers-color-scheme: dark)");
  paper.addEventListener("change", draw);
  dark.addEventListener("change", soon);

  // JupyterLab's shortcuts must not take the arrow keys from the controls.
  const quiet = (event) => /^(Arrow|Home|End|Page)/.test(event.key) && event.stopPropagation();
  const settle = () => {
    const whole = el.closest(".nn-explore");
    if (!whole || whole.dataset.lmSuppressShortcuts) return;
    whole.dataset.lmSuppressShortcuts = "true";
    whole.setAttribute("role", "group");
    whole.setAttribute("aria-label", model.get("title"));
    whole.addEventListener("keydown", quiet);
    for (const bar of whole.querySelectorAll(".widget-slider")) // ipywidgets leaves its handles without a name
      bar.querySelector("[role=slider]")?.setAttribute("aria-label", bar.querySelector(".widget-label")?.textContent ?? "");
  };
  const attached = requestAnimationFrame(settle);
  setTimeout(settle, 300);

  draw();
  return () => {
    cancelAnimationFrame(due), cancelAnimationFrame(attached);
    sizes.disconnect(), themes.disconnect();
    paper.removeEventListener("change", draw), dark.removeEventListener("change", soon);
    controls.forEach((_, k) => model.off("change:setting_" + k, soon));
  };
}

export default { render };
