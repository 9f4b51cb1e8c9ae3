"""`python -m bench [WORD] …`, a word of those below; without one, decoding and storing."""

import sys

from bench import decode, dimse_find, ingest, reconstruction, viewer, web, web_store

SUBJECTS = {
    "ingest": ingest.main,
    "decode": decode.main,
    "viewer": viewer.main,
    "reconstruction": reconstruction.main,
    "find": dimse_find.main,
    "web": web.main,
    "web-store": web_store.main,
}

if sys.argv[1:2] and sys.argv[1] in SUBJECTS:
    raise SystemExit(SUBJECTS[sys.argv[1]](sys.argv[2:]))
if sys.argv[1:]:
    raise SystemExit(ingest.main())
raise SystemExit(decode.main([]) or ingest.main([]))
