"""For all tests: what hypothesis generates is the same on each machine, and never judged by time."""

from hypothesis import HealthCheck, settings

settings.register_profile(
    "lapse",
    deadline=None,  # machines are shared and noisy
    suppress_health_check=[HealthCheck.too_slow],  # as above: the first example may wait for an import
    derandomize=True,  # a red run can be repeated anywhere; --hypothesis-profile=default explores further
)
settings.load_profile("lapse")
