"""`python -m bench [ingest|decode] …`: what `make bench` runs; both, without a word."""

import sys

from bench import decode, ingest

SUBJECTS = {"ingest": ingest.main, "decode": decode.main}

if sys.argv[1:2] and sys.argv[1] in SUBJECTS:
    raise SystemExit(SUBJECTS[sys.argv[1]](sys.argv[2:]))
if sys.argv[1:]:
    raise SystemExit(ingest.main())
raise SystemExit(decode.main([]) or ingest.main([]))
