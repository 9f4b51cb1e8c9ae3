"""`python -m bench [ingest|decode|viewer|reconstruction|find|web] …`; by default the first two."""

import sys

from bench import decode, dimse_find, ingest, reconstruction, viewer, web

SUBJECTS = {
    "ingest": ingest.main,
    "decode": decode.main,
    "viewer": viewer.main,
    "reconstruction": reconstruction.main,
    "find": dimse_find.main,
    "web": web.main,
}

if sys.argv[1:2] and sys.argv[1] in SUBJECTS:
    raise SystemExit(SUBJECTS[sys.argv[1]](sys.argv[2:]))
if sys.argv[1:]:
    raise SystemExit(ingest.main())
raise SystemExit(decode.main([]) or ingest.main([]))
