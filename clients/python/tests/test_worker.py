"""What a worker does with what comes: inputs, outputs, failures, retries."""
