"""The tests mirror the house. Property tests have no time limit: how busy the machine is proves nothing."""

from hypothesis import settings

settings.register_profile("house", deadline=None)
settings.load_profile("house")
