"""What a budget buys: probes of what things cost here, the ladder, and the plan."""
