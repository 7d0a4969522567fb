"""Which attributes are indexed and which a search answer holds, by level (PS3.18 10.6, tables 10.6.1-5 and 10.6.3-3 to -5)."""

from dataclasses import dataclass

from shared.dicom.model import Level

STUDY_UID = "0020000D"
SERIES_UID = "0020000E"
INSTANCE_UID = "00080018"
LEVEL_UID = {Level.STUDY: STUDY_UID, Level.SERIES: SERIES_UID, Level.INSTANCE: INSTANCE_UID}

MODALITIES_IN_STUDY = "00080061"
STUDY_RELATED_SERIES = "00201206"
STUDY_RELATED_INSTANCES = "00201208"
SERIES_RELATED_INSTANCES = "00201209"
RETRIEVE_URL = "00081190"
INSTANCE_AVAILABILITY = "00080056"


@dataclass(frozen=True, slots=True)
class Attribute:
    """A searchable attribute. ``path`` is its tag, or ``SEQUENCE.MEMBER`` one level deep."""

    path: str
    keyword: str
    vr: str
    level: Level


SEARCHABLE: tuple[Attribute, ...] = (
    Attribute("0020000D", "StudyInstanceUID", "UI", Level.STUDY),
    Attribute("00080020", "StudyDate", "DA", Level.STUDY),
    Attribute("00080030", "StudyTime", "TM", Level.STUDY),
    Attribute("00080050", "AccessionNumber", "SH", Level.STUDY),
    Attribute("00080061", "ModalitiesInStudy", "CS", Level.STUDY),
    Attribute("00080090", "ReferringPhysicianName", "PN", Level.STUDY),
    Attribute("00081030", "StudyDescription", "LO", Level.STUDY),
    Attribute("00100010", "PatientName", "PN", Level.STUDY),
    Attribute("00100020", "PatientID", "LO", Level.STUDY),
    Attribute("00100021", "IssuerOfPatientID", "LO", Level.STUDY),
    Attribute("00100030", "PatientBirthDate", "DA", Level.STUDY),
    Attribute("00100040", "PatientSex", "CS", Level.STUDY),
    Attribute("00200010", "StudyID", "SH", Level.STUDY),
    Attribute("0020000E", "SeriesInstanceUID", "UI", Level.SERIES),
    Attribute("00080021", "SeriesDate", "DA", Level.SERIES),
    Attribute("00080031", "SeriesTime", "TM", Level.SERIES),
    Attribute("00080060", "Modality", "CS", Level.SERIES),
    Attribute("0008103E", "SeriesDescription", "LO", Level.SERIES),
    Attribute("00081090", "ManufacturerModelName", "LO", Level.SERIES),
    Attribute("00180015", "BodyPartExamined", "CS", Level.SERIES),
    Attribute("00200011", "SeriesNumber", "IS", Level.SERIES),
    Attribute("00400244", "PerformedProcedureStepStartDate", "DA", Level.SERIES),
    Attribute("00400245", "PerformedProcedureStepStartTime", "TM", Level.SERIES),
    Attribute("00400275.00400009", "RequestAttributesSequence.ScheduledProcedureStepID", "SH", Level.SERIES),
    Attribute("00400275.00401001", "RequestAttributesSequence.RequestedProcedureID", "SH", Level.SERIES),
    Attribute("00080016", "SOPClassUID", "UI", Level.INSTANCE),
    Attribute("00080018", "SOPInstanceUID", "UI", Level.INSTANCE),
    Attribute("00200013", "InstanceNumber", "IS", Level.INSTANCE),
)
BY_PATH = {attribute.path: attribute for attribute in SEARCHABLE}
