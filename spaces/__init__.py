"""Configuration spaces, one file a task: ``space() -> ConfigurationSpace``."""
