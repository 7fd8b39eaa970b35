"""Laws of preprocessing: mean 0 and covariance I on the training data, exact inverses, nothing learned from tests."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nnlib.data import digits
from nnlib.preprocessing import PCA, Pipeline, Standardize, Transform, Whiten, condition_number, principal_axes

# transform: what makes it
TRANSFORMS = {
    "Standardize": Standardize,
    "PCA": PCA,
    "Whiten, PCA": lambda: Whiten("pca"),
    "Whiten, ZCA": lambda: Whiten("zca"),
    "Whiten, PCA, eps": lambda: Whiten("pca", eps=0.5),
    "Whiten, ZCA, eps": lambda: Whiten("zca", eps=0.5),
    "Pipeline": lambda: Pipeline(Standardize(), PCA(), Whiten("zca")),
}
transforms = pytest.mark.parametrize("make", TRANSFORMS.values(), ids=TRANSFORMS)


def correlated(n=200, n_features=5, seed=0):
    """Features of different means and scales that depend on each other."""
    rng = np.random.default_rng(seed)
    mix = rng.normal(size=(n_features, n_features)) * np.logspace(-1, 2, n_features)
    return rng.normal(size=(n, n_features)) @ mix + rng.normal(size=n_features) * 50.0


def covariance(z):
    return np.cov(z, rowvar=False, bias=True)


# --- laws of all ------------------------------------------------------------------------------------------------------


@transforms
def test_the_inverse_brings_back_every_x(make):
    x, other = correlated(), correlated(30, seed=1)
    transform = make().fit(x)
    np.testing.assert_allclose(transform.inverse(transform(x)), x, rtol=1e-9)
    np.testing.assert_allclose(transform.inverse(transform(other)), other, rtol=1e-9)
    np.testing.assert_allclose(transform(transform.inverse(other)), other, rtol=1e-9)


@transforms
def test_the_mean_of_the_training_data_becomes_0(make):
    x = correlated()
    np.testing.assert_allclose(make().fit(x)(x).mean(axis=0), 0.0, atol=1e-10)


@transforms
def test_test_data_are_transformed_with_the_statistics_of_the_training_data(make):
    x, test = correlated(), correlated(40, seed=2) + 3.0
    transform = make().fit(x)
    before = transform(x)
    z = transform(test)
    np.testing.assert_allclose(z, [transform(row[None])[0] for row in test], rtol=1e-9, atol=1e-12)  # rows do not mix
    np.testing.assert_array_equal(transform(x), before)  # and nothing was learned
    fitted_to_test = make().fit(test)
    assert np.abs(z - fitted_to_test(test)).max() > 0.1
    assert np.abs(z.mean(axis=0)).max() > 0.01


@transforms
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_dtype_is_kept_with_statistics_in_float64(make, dtype):
    x = correlated().astype(dtype)
    kept = x.copy()
    transform = make().fit(x)
    z = transform(x)
    assert z.dtype == transform.inverse(z).dtype == dtype
    np.testing.assert_array_equal(x, kept)
    back = z.copy()
    transform.inverse(z)
    np.testing.assert_array_equal(z, back)
    exact = make().fit(x.astype(np.float64))(x.astype(np.float64))
    np.testing.assert_allclose(z, exact, rtol=1e-6, atol=1e-6)
    for step in getattr(transform, "steps", [transform]):
        for name, value in vars(step).items():
            if isinstance(value, np.ndarray):
                assert value.dtype == (bool if name == "constant" else np.float64), name


@transforms
def test_whole_numbers_become_float64(make):
    x = np.random.default_rng(3).integers(0, 256, (50, 4), dtype=np.uint8)
    transform = make().fit(x)
    assert transform(x).dtype == np.float64
    np.testing.assert_allclose(transform(x), make().fit(x.astype(float))(x.astype(float)), rtol=1e-12)


@transforms
def test_transform_is_the_call_and_fit_may_be_repeated(make):
    x, other = correlated(), correlated(seed=4)
    transform = make()
    assert not transform.fitted
    assert transform.fit(other) is transform
    assert transform.fitted
    np.testing.assert_array_equal(transform.fit(x).transform(x), make().fit(x)(x))


@transforms
def test_a_transform_refuses_what_it_was_not_fitted_to(make):
    x = correlated()
    transform = make()
    for call in (transform, transform.inverse, transform.transform):
        with pytest.raises(RuntimeError, match=r"not fitted yet: call fit\(x_train\)"):
            call(x)
    transform.fit(x)
    for call in (transform, transform.inverse):
        for wrong in (x[:, :4], x[:, :, None], np.zeros((2, 6))):
            with pytest.raises(ValueError, match=r"was fitted to [xz] of shape \(N, 5\), got"):
                call(wrong)
        with pytest.raises(ValueError, match="at least one example"):
            call(x[:0])
        with pytest.raises(ValueError, match="at least one example"):
            call(x[0])
        with pytest.raises(TypeError, match="real numbers"):
            call(x.astype(str))


@transforms
def test_fit_refuses_data_that_teach_nothing(make):
    x = correlated()
    x[3, 1], x[5, 2] = np.nan, np.inf
    with pytest.raises(ValueError, match="finite numbers, got 2"):
        make().fit(x)
    with pytest.raises(ValueError, match="at least two examples"):
        make().fit(correlated()[:1])
    with pytest.raises(TypeError, match="real numbers"):
        make().fit(correlated() * 1j)


# --- standardize ------------------------------------------------------------------------------------------------------


@given(
    st.integers(2, 30),
    st.lists(st.integers(1, 4), min_size=1, max_size=3),
    st.sampled_from([np.float32, np.float64]),
    st.integers(0, 2**32 - 1),
)
def test_standardized_features_have_mean_0_and_deviation_1(n, shape, dtype, seed):
    rng = np.random.default_rng(seed)
    x = (10.0 ** rng.integers(-3, 4, shape) * (rng.normal(size=(n, *shape)) + rng.normal(size=shape))).astype(dtype)
    transform = Standardize().fit(x)
    z = transform(x)
    limit = 1e-5 if dtype == np.float32 else 1e-9
    assert z.shape == x.shape
    np.testing.assert_allclose(z.astype(float).mean(axis=0), 0.0, atol=limit)
    np.testing.assert_allclose(z.astype(float).std(axis=0), 1.0, atol=limit)
    np.testing.assert_allclose(transform.inverse(z), x, rtol=1e-5, atol=limit * np.abs(x).max())


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_constant_feature_becomes_0_and_comes_back(dtype):
    x = np.random.default_rng(5).normal(size=(1001, 3)).astype(dtype)
    x[:, 1] = 0.1  # the mean of 1001 times 0.1 is not quite 0.1
    transform = Standardize().fit(x)
    z = transform(x)
    np.testing.assert_array_equal(transform.constant, [False, True, False])
    np.testing.assert_array_equal(z[:, 1], 0.0)
    assert transform.std[1] == 1.0
    np.testing.assert_array_equal(transform.inverse(z)[:, 1], x[:, 1])
    moved = x[:3].copy()
    moved[:, 1] = 2.1
    np.testing.assert_allclose(transform(moved)[:, 1], 2.0, rtol=1e-6)  # not divided by 1e-17


def test_a_feature_too_small_to_square_counts_as_constant():
    x = np.array([[1e-200], [2e-200]])
    assert Standardize().fit(x).constant.all()


def test_a_large_mean_costs_no_digits_of_float32():
    rng = np.random.default_rng(6)
    x = (10_000.0 + rng.normal(size=(500, 2))).astype(np.float32)
    z = Standardize().fit(x)(x)
    np.testing.assert_allclose(z.astype(float).mean(axis=0), 0.0, atol=1e-7)
    np.testing.assert_allclose(z.astype(float).std(axis=0), 1.0, atol=1e-6)


def test_channels_share_a_mean_where_asked():
    rng = np.random.default_rng(7)
    x = rng.normal(size=(6, 3, 5, 4)) * np.array([1.0, 10.0, 0.1])[:, None, None] + 7.0
    transform = Standardize(axes=(0, 2, 3)).fit(x)
    assert transform.mean.shape == transform.std.shape == (3, 1, 1)
    z = transform(x)
    np.testing.assert_allclose(z.mean(axis=(0, 2, 3)), 0.0, atol=1e-12)
    np.testing.assert_allclose(z.std(axis=(0, 2, 3)), 1.0, rtol=1e-12)
    np.testing.assert_allclose(transform.inverse(z), x, rtol=1e-12)
    other_size = rng.normal(size=(2, 3, 8, 8))
    np.testing.assert_allclose(transform(other_size)[:, 1], (other_size[:, 1] - transform.mean[1]) / transform.std[1])
    with pytest.raises(ValueError, match=r"\(N, 3, any, any\), got \(2, 4, 8, 8\)"):
        transform(np.ones((2, 4, 8, 8)))
    with pytest.raises(ValueError, match="at least 4 axes"):
        Standardize(axes=(0, 2, 3)).fit(np.ones((5, 3)))


# --- principal directions ---------------------------------------------------------------------------------------------


def test_principal_axes_take_the_covariance_apart():
    x = correlated()
    x -= x.mean(axis=0)
    U, variances = principal_axes(x)
    np.testing.assert_allclose(U.T @ U, np.eye(5), atol=1e-14)
    np.testing.assert_allclose(U * variances @ U.T, covariance(x), rtol=1e-10, atol=1e-10)
    assert (np.diff(variances) <= 0.0).all()
    assert (U[np.abs(U).argmax(axis=0), range(5)] > 0.0).all()
    np.testing.assert_allclose(principal_axes(-x)[0], U, atol=1e-12)  # the sign of a direction does not depend on x's


def test_principal_axes_of_few_examples_are_complete():
    x = np.random.default_rng(8).normal(size=(3, 6))
    U, variances = principal_axes(x)
    np.testing.assert_allclose(U.T @ U, np.eye(6), atol=1e-14)
    np.testing.assert_allclose(U * variances @ U.T, x.T @ x / 3, atol=1e-14)
    np.testing.assert_array_equal(variances[3:], 0.0)


def test_pca_has_uncorrelated_coordinates_of_falling_variance():
    x = correlated()
    pca = PCA().fit(x)
    z = pca(x)
    np.testing.assert_allclose(covariance(z), np.diag(pca.variances), atol=1e-8)
    np.testing.assert_allclose(pca.explained.sum(), 1.0, rtol=1e-14)
    np.testing.assert_allclose(pca.explained, pca.variances / np.trace(covariance(x)), rtol=1e-10)
    distances = np.linalg.norm(x[:, None] - x, axis=2)
    np.testing.assert_allclose(np.linalg.norm(z[:, None] - z, axis=2), distances, atol=1e-9)  # a rotation


def test_one_direction_is_enough():
    x = np.array([[1.0, 5.0], [2.0, 5.0], [6.0, 5.0]])
    np.testing.assert_allclose(PCA().fit(x[:, :1])(x[:, :1]), [[-2.0], [-1.0], [3.0]], rtol=1e-14)
    pca = PCA(1).fit(x)
    np.testing.assert_allclose(pca(x), [[-2.0], [-1.0], [3.0]], rtol=1e-14)
    np.testing.assert_allclose(pca.explained, 1.0, rtol=1e-14)


def test_fewer_directions_lose_what_lies_outside_them_and_nothing_more():
    x = correlated()
    pca = PCA(2).fit(x)
    z = pca(x)
    assert z.shape == (200, 2)
    assert pca.directions.shape == (5, 2)
    lost = np.square(x - pca.inverse(z)).sum(axis=1).mean()
    assert lost == pytest.approx(PCA().fit(x).variances[2:].sum(), rel=1e-9)
    rng = np.random.default_rng(9)
    for _ in range(50):  # no other plane loses less
        Q = np.linalg.qr(rng.normal(size=(5, 2)))[0]
        centered = x - x.mean(axis=0)
        assert np.square(centered - centered @ Q @ Q.T).sum(axis=1).mean() >= lost
    np.testing.assert_allclose(pca(pca.inverse(z)), z, atol=1e-9)
    np.testing.assert_allclose(pca.explained, PCA().fit(x).explained[:2], rtol=1e-12)


# --- whitening --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["pca", "zca"])
def test_whitened_data_have_covariance_i(kind):
    x = correlated()
    np.testing.assert_allclose(covariance(Whiten(kind).fit(x)(x)), np.eye(5), atol=1e-9)


@pytest.mark.parametrize("kind", ["pca", "zca"])
def test_whitening_survives_a_condition_number_that_the_covariance_would_not(kind):
    x = (
        np.random.default_rng(10).normal(size=(300, 3))
        @ np.diag([1.0, 1e-5, 1e-10])
        @ [[1, 2, 3], [0, 1, 1], [0, 0, 1]]
    )
    np.testing.assert_allclose(covariance(Whiten(kind).fit(x)(x)), np.eye(3), atol=1e-4)


def test_zca_is_the_whitening_nearest_to_x():
    rng = np.random.default_rng(11)
    x = rng.normal(size=(200, 5)) @ rng.normal(size=(5, 5))
    centered = x - x.mean(axis=0)
    z = Whiten("zca").fit(x)(x)
    distance = np.square(z - centered).sum()
    assert distance < 0.8 * np.square(Whiten("pca").fit(x)(x) - centered).sum()
    rotations = [np.linalg.qr(rng.normal(size=(5, 5)))[0] for _ in range(100)]
    for Q in rotations:
        assert np.square(z @ Q - centered).sum() > distance
    slight = np.eye(5)
    slight[:2, :2] = [[math.cos(1e-3), -math.sin(1e-3)], [math.sin(1e-3), math.cos(1e-3)]]
    assert np.square(z @ slight - centered).sum() > distance
    matrix = Whiten("zca").fit(x).matrix
    np.testing.assert_allclose(matrix, matrix.T, rtol=1e-8, atol=1e-12)


def test_zca_leaves_white_data_alone():
    x = correlated()
    z = Whiten("zca").fit(x)(x)
    np.testing.assert_allclose(Whiten("zca").fit(z)(z), z, atol=1e-8)


@pytest.mark.parametrize("kind", ["pca", "zca"])
def test_eps_stands_under_the_root(kind):
    x = correlated()
    whiten = Whiten(kind, eps=2.0).fit(x)
    expected = whiten.variances / (whiten.variances + 2.0)
    np.testing.assert_allclose(np.linalg.eigvalsh(covariance(whiten(x)))[::-1], expected, rtol=1e-8)
    np.testing.assert_allclose(whiten.variances, PCA().fit(x).variances, rtol=1e-12)


@pytest.mark.parametrize("kind", ["pca", "zca"])
def test_whitening_of_fewer_directions(kind):
    x = correlated()
    whiten = Whiten(kind, n_components=3).fit(x)
    z = whiten(x)
    assert z.shape == (200, 3 if kind == "pca" else 5)
    np.testing.assert_allclose(np.linalg.eigvalsh(covariance(z))[-3:], 1.0, rtol=1e-9)
    np.testing.assert_allclose(whiten.inverse(z), PCA(3).fit(x).inverse(PCA(3).fit(x)(x)), rtol=1e-9)


def test_directions_without_variance_are_named_and_the_mends_work():
    x = digits().train.x
    n_constant = int((x.max(axis=0) == x.min(axis=0)).sum())
    assert n_constant > 0
    rank = 64 - n_constant
    with pytest.raises(ValueError, match=rf"vary in {rank} directions alone, 64 are asked for.*n_components={rank}"):
        Whiten("zca").fit(x)
    z = Whiten("pca", n_components=rank).fit(x)(x)
    np.testing.assert_allclose(covariance(z.astype(float)), np.eye(rank), atol=1e-4)
    whiten = Whiten("zca", eps=1e-2).fit(x)
    np.testing.assert_allclose(whiten.inverse(whiten(x)), x, atol=1e-5)


def test_fewer_examples_than_features_are_an_error_with_the_mend():
    x = np.random.default_rng(12).normal(size=(5, 8))
    with pytest.raises(ValueError, match=r"5 examples of 8 features span at most 4 directions: .* or PCA\(4\)"):
        PCA().fit(x)
    with pytest.raises(ValueError, match="span at most 4 directions"):
        PCA(5).fit(x)
    with pytest.raises(ValueError, match="5 examples of 8 features vary in 4 directions alone"):
        Whiten("zca").fit(x)
    with pytest.raises(ValueError, match="vary in 4 directions alone"):
        Whiten("pca").fit(1e6 + x[:, :5])  # the rounding of the mean is no fifth direction
    np.testing.assert_allclose(PCA(4).fit(x).inverse(PCA(4).fit(x)(x)), x, atol=1e-12)
    np.testing.assert_allclose(covariance(Whiten("pca", n_components=4).fit(x)(x)), np.eye(4), atol=1e-12)
    whiten = Whiten("zca", eps=0.1).fit(x)
    np.testing.assert_allclose(whiten.inverse(whiten(x)), x, atol=1e-12)


# --- pipeline ---------------------------------------------------------------------------------------------------------


def test_a_pipeline_fits_each_step_to_what_the_ones_before_it_give():
    x = correlated()
    pipeline = Pipeline(Standardize(), PCA(2))
    pipeline.steps[0].fit(x)
    assert not pipeline.fitted
    assert pipeline.fit(x).fitted
    scaler = Standardize().fit(x)
    pca = PCA(2).fit(scaler(x))
    np.testing.assert_array_equal(pipeline(x), pca(scaler(x)))
    np.testing.assert_array_equal(pipeline.inverse(pipeline(x)), scaler.inverse(pca.inverse(pca(scaler(x)))))
    assert repr(pipeline) == "Pipeline(Standardize(), PCA(2))"


# --- condition number -------------------------------------------------------------------------------------------------


def test_the_condition_number_is_the_ratio_of_curvatures():
    x = correlated()
    curvatures = np.linalg.eigvalsh(x.T @ x / 200)
    assert condition_number(x) == pytest.approx(curvatures[-1] / curvatures[0], rel=1e-8)
    corners = np.array([[1, 100], [1, -100], [-1, 100], [-1, -100]])
    assert type(condition_number(corners)) is float
    assert condition_number(corners) == pytest.approx(1e4, rel=1e-12)
    rho = np.array([[1.0, 0.9], [0.9, 1.0]])
    assert condition_number(np.linalg.cholesky(rho).T) == pytest.approx(19.0, rel=1e-12)


def test_a_mean_inflates_the_condition_number_and_centering_mends_it():
    rng = np.random.default_rng(13)
    x = rng.normal(size=(5000, 2)) + 10.0
    assert condition_number(x, bias=True) > 3e4
    assert condition_number(Standardize().fit(x)(x), bias=True) < 1.1
    assert condition_number(Whiten("zca").fit(x)(x)) == pytest.approx(1.0, rel=1e-9)


@pytest.mark.parametrize("unit", [1e-100, 1e-20, 1.0, 1e100])
def test_the_condition_number_knows_no_unit(unit):
    x = np.random.default_rng(15).normal(size=(30, 3))
    assert condition_number(unit * x) == pytest.approx(condition_number(x), rel=1e-12)
    assert condition_number(unit * np.column_stack([x, x.sum(axis=1)])) == math.inf


@pytest.mark.parametrize("shape", [(1000, 2), (1000, 5), (5, 5)], ids=str)
def test_a_condition_number_is_infinite_where_numpy_finds_dependent_columns(shape):
    n, d = shape
    ranks = []
    for last in (0.1 * n, 10.0 * n):
        x = np.eye(n, d)
        x[d - 1, d - 1] = last * np.finfo(np.float64).eps
        ranks.append(np.linalg.matrix_rank(x))
        assert math.isinf(condition_number(x)) == (ranks[-1] < d)
    assert ranks == [d - 1, d]


def test_dependent_features_have_an_infinite_condition_number():
    x = np.random.default_rng(14).normal(size=(20, 2))
    assert condition_number(np.column_stack([x, x.sum(axis=1)])) == math.inf
    assert condition_number(np.ones((5, 1)), bias=True) == math.inf
    assert condition_number(x[:1]) == math.inf
    assert condition_number(np.zeros((3, 2))) == math.inf


# --- doors ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda: Standardize(axes=(1,)), ValueError, "with 0, that of the examples"),
        (lambda: Standardize(axes=(0, -1)), ValueError, "different axes from 0 on"),
        (lambda: Standardize(axes=(0, 0)), ValueError, "different axes"),
        (lambda: Standardize(axes=(0, 2)).fit(correlated()), ValueError, "at least 3 axes"),
        (lambda: PCA(0), ValueError, "positive whole number"),
        (lambda: PCA(2.5), ValueError, "positive whole number"),
        (lambda: PCA(9).fit(correlated()), ValueError, "cannot keep 9 directions of 5 features"),
        (lambda: PCA().fit(np.ones((9, 3))), ValueError, "all features are constant"),
        (lambda: PCA().fit(np.ones((9, 3, 3))), ValueError, r"x\.reshape\(len\(x\), -1\)"),
        (lambda: Whiten("cholesky"), ValueError, '"pca" or "zca"'),
        (lambda: Whiten("zca", eps=-1.0), ValueError, "eps is a nonnegative"),
        (lambda: Whiten("zca", eps=math.inf), ValueError, "eps is a nonnegative"),
        (lambda: Whiten("zca", n_components=6).fit(correlated()), ValueError, "cannot keep 6"),
        (lambda: Whiten("pca").fit(np.ones((9, 3))), ValueError, "vary in 0 directions alone"),
        (lambda: Pipeline(), TypeError, "takes transforms"),
        (lambda: Pipeline(PCA), TypeError, "takes transforms"),
        (lambda: Pipeline(PCA(), Whiten), TypeError, "takes transforms"),
        (lambda: condition_number(np.ones(3)), ValueError, r"\(N, D\)"),
        (lambda: condition_number(np.ones((0, 3))), ValueError, r"\(N, D\)"),
        (lambda: condition_number([["a"]]), ValueError, "real numbers"),
        (lambda: condition_number([[np.nan]]), ValueError, "finite"),
        (lambda: condition_number([[1.0], [np.nan]]), ValueError, "finite"),
        (lambda: Transform().learn(None), NotImplementedError, "^$"),
        (lambda: Transform().forward(None), NotImplementedError, "^$"),
        (lambda: Transform().backward(None), NotImplementedError, "^$"),
    ],
)
def test_a_wrong_call_says_what_was_wanted(call, error, text):
    with pytest.raises(error, match=text):
        call()


def test_a_transform_shows_its_settings():
    assert repr([Standardize(), Standardize((0, 1)), PCA()]) == "[Standardize(), Standardize(axes=(0, 1)), PCA()]"
    assert repr([PCA(3), Whiten("zca")]) == "[PCA(3), Whiten('zca')]"
    assert repr(Whiten("pca", 3, 0.5)) == "Whiten('pca', n_components=3, eps=0.5)"
    assert repr(Whiten("pca", eps=1)) == "Whiten('pca', eps=1.0)"
