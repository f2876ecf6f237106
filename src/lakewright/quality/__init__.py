"""Judge a dataset: score and gate, results kept over time, profiles, anomalies, the report."""
