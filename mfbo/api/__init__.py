"""mfbo as Python calls it: settings as keywords, progress by default, and an exception where no trial succeeded."""
