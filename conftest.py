"""What holds for every test and every kernel that a test starts: no network, no screen, this checkout's nnlib."""

import os
import pathlib
import sys

ROOT = pathlib.Path(__file__).parent
GUARD = ROOT / "tests" / "offline"  # its sitecustomize.py shuts the network in what is started from here

if str(GUARD) not in sys.path:
    sys.path[:0] = [str(GUARD), str(ROOT), str(ROOT / "tools")]
    os.environ["PYTHONPATH"] = os.pathsep.join([str(GUARD), str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])

os.environ["JUPYTER_PREFER_ENV_PATH"] = "1"  # the kernel of this environment, not one of the same name elsewhere
os.environ["PYDEVD_DISABLE_FILE_VALIDATION"] = "1"
for threads in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(threads, "1")  # before NumPy is imported, which reads it once

import hypothesis  # noqa: E402
import matplotlib  # noqa: E402
import no_network  # noqa: E402

no_network.install()
matplotlib.use("Agg")  # for this process alone: a kernel keeps its inline pictures

# The same examples in every run, and none that fails because the machine is busy.
hypothesis.settings.register_profile(
    "laws",
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=[hypothesis.HealthCheck.too_slow, hypothesis.HealthCheck.differing_executors],
)
hypothesis.settings.load_profile("laws")

sys.path.append(str(ROOT / "tests"))
pytest_plugins = ["falsifiers"]  # after a cell with claims, what must make them fail
