"""`python -m bench`: what `make bench` runs."""

from bench.ingest import main

raise SystemExit(main())
