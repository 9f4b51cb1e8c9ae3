"""What `check_system` looks at, one module a subject; each finding says what to do."""
