"""Questions of DICOM to the index: C-FIND, QIDO-RS, and what C-MOVE and C-GET mean."""
