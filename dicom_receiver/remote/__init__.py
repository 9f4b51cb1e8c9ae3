"""Our calls to other archives: test, query, import, send; by DIMSE and by DICOMweb."""
