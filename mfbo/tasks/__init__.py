"""The built-in tasks, one file a task, and how a name leads to one."""
