"""``python -m local store``: sends DICOM files to a service over STOW-RS (PS3.18 10.5)."""
