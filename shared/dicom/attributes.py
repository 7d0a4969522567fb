"""Which attributes are searched by, kept and returned at each level (PS3.18 tables 10.6.1-5 and 10.6.3-3 to -5)."""

from dataclasses import dataclass

from shared.dicom.model import Level
from shared.dicom.standard import tag_for_keyword

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
    """A searchable attribute. ``path`` is its tag, or ``SEQUENCE.MEMBER`` one level deep.

    ``private_creator`` says whose a private one is: its block may differ from one data set to the next.
    """

    path: str
    keyword: str
    vr: str
    level: Level
    private_creator: str | None = None


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


def _tags(keywords: str) -> frozenset[str]:
    return frozenset(f"{tag_for_keyword(keyword):08X}" for keyword in keywords.split())


LEVEL_TAGS: dict[Level, frozenset[str]] = {
    Level.STUDY: _tags(
        # Patient (PS3.3 C.7.1.1)
        """PatientName PatientID IssuerOfPatientID TypeOfPatientID IssuerOfPatientIDQualifiersSequence
        SourcePatientGroupIdentificationSequence GroupOfPatientsIdentificationSequence PatientBirthDate PatientBirthTime
        PatientBirthDateInAlternativeCalendar PatientDeathDateInAlternativeCalendar PatientAlternativeCalendar
        PatientSex QualityControlSubject ReferencedPatientSequence OtherPatientIDs OtherPatientIDsSequence
        OtherPatientNames EthnicGroup PatientComments PatientSpeciesDescription PatientSpeciesCodeSequence
        PatientBreedDescription PatientBreedCodeSequence BreedRegistrationSequence StrainDescription
        StrainNomenclature ResponsiblePerson ResponsiblePersonRole ResponsibleOrganization PatientIdentityRemoved
        DeidentificationMethod DeidentificationMethodCodeSequence"""
        # Clinical Trial Subject and Study (C.7.1.3, C.7.2.3)
        """ ClinicalTrialSponsorName ClinicalTrialProtocolID ClinicalTrialProtocolName ClinicalTrialSiteID
        ClinicalTrialSiteName ClinicalTrialSubjectID ClinicalTrialSubjectReadingID
        ClinicalTrialProtocolEthicsCommitteeName ClinicalTrialProtocolEthicsCommitteeApprovalNumber
        ClinicalTrialTimePointID ClinicalTrialTimePointDescription ConsentForClinicalTrialUseSequence"""
        # General Study (C.7.2.1)
        """ StudyInstanceUID StudyDate StudyTime AccessionNumber IssuerOfAccessionNumberSequence
        ReferringPhysicianName ReferringPhysicianIdentificationSequence ConsultingPhysicianName
        ConsultingPhysicianIdentificationSequence StudyID StudyDescription PhysiciansOfRecord
        PhysiciansOfRecordIdentificationSequence NameOfPhysiciansReadingStudy
        PhysiciansReadingStudyIdentificationSequence RequestingServiceCodeSequence ReferencedStudySequence
        ProcedureCodeSequence ReasonForPerformedProcedureCodeSequence AnatomicRegionsInStudyCodeSequence
        TimezoneOffsetFromUTC"""
        # Patient Study (C.7.2.2)
        """ AdmittingDiagnosesDescription AdmittingDiagnosesCodeSequence PatientAge PatientSize PatientWeight
        PatientBodyMassIndex PatientSizeCodeSequence MedicalAlerts Allergies SmokingStatus PregnancyStatus
        LastMenstrualDate PatientState Occupation AdditionalPatientHistory AdmissionID IssuerOfAdmissionIDSequence
        ServiceEpisodeID ServiceEpisodeDescription IssuerOfServiceEpisodeIDSequence PatientSexNeutered
        ReasonForVisit ReasonForVisitCodeSequence"""
    ),
    Level.SERIES: _tags(
        # General Series (C.7.3.1)
        """Modality SeriesInstanceUID SeriesNumber Laterality SeriesDate SeriesTime PerformingPhysicianName
        PerformingPhysicianIdentificationSequence ProtocolName SeriesDescription SeriesDescriptionCodeSequence
        OperatorsName OperatorIdentificationSequence ReferencedPerformedProcedureStepSequence RelatedSeriesSequence
        BodyPartExamined PatientPosition RequestAttributesSequence PerformedProcedureStepID
        PerformedProcedureStepStartDate PerformedProcedureStepStartTime PerformedProcedureStepEndDate
        PerformedProcedureStepEndTime PerformedProcedureStepDescription PerformedProtocolCodeSequence
        CommentsOnThePerformedProcedureStep AnatomicalOrientationType TreatmentSessionUID TimezoneOffsetFromUTC"""
        # Clinical Trial Series (C.7.3.2), Frame of Reference (C.7.4.1), Synchronization (C.7.4.2)
        """ ClinicalTrialCoordinatingCenterName ClinicalTrialSeriesID ClinicalTrialSeriesDescription
        FrameOfReferenceUID PositionReferenceIndicator SynchronizationFrameOfReferenceUID"""
        # General Equipment (C.7.5.1)
        """ Manufacturer InstitutionName InstitutionAddress StationName InstitutionalDepartmentName
        ManufacturerModelName DeviceSerialNumber DeviceUID UDISequence GantryID SoftwareVersions SpatialResolution
        DateOfLastCalibration TimeOfLastCalibration"""
    ),
    Level.INSTANCE: _tags(
        # SOP Common (C.12.1), General Image (C.7.6.1), Image Pixel (C.7.6.3)
        """SOPClassUID SOPInstanceUID TimezoneOffsetFromUTC InstanceNumber ImageType InstanceCreationDate
        InstanceCreationTime ContentDate ContentTime AcquisitionDate AcquisitionTime AcquisitionDateTime
        AcquisitionNumber ImageComments NumberOfFrames Rows Columns BitsAllocated PhotometricInterpretation
        LossyImageCompression"""
        # SR Document General (C.17.2), Encapsulated Document (C.24.2), Content Identification (table 10-12)
        """ CompletionFlag VerificationFlag ConceptNameCodeSequence DocumentTitle MIMETypeOfEncapsulatedDocument
        ContentLabel ContentDescription ContentCreatorName PresentationCreationDate PresentationCreationTime"""
    ),
}
"""What the index keeps of each level and ``includefield=all`` returns. SpecificCharacterSet is not among them: answers
are UTF-8 whatever the file was. TimezoneOffsetFromUTC is at every level, as it qualifies the dates and times there."""

_REQUIRED_TAGS: dict[Level, frozenset[str]] = {
    Level.STUDY: _tags(
        """StudyDate StudyTime AccessionNumber InstanceAvailability ReferringPhysicianName TimezoneOffsetFromUTC
        PatientName PatientID PatientBirthDate PatientSex StudyInstanceUID StudyID"""
    ),
    Level.SERIES: _tags(
        """Modality TimezoneOffsetFromUTC SeriesDescription SeriesInstanceUID SeriesNumber
        PerformedProcedureStepStartDate PerformedProcedureStepStartTime RequestAttributesSequence"""
    ),
    Level.INSTANCE: _tags(
        """SOPClassUID SOPInstanceUID InstanceAvailability TimezoneOffsetFromUTC InstanceNumber NumberOfFrames Rows
        Columns BitsAllocated"""
    ),
}
"""What PS3.18 tables 10.6.3-3 to 10.6.3-5 ask of every answer, but for what is computed."""

_FURTHER_TAGS: dict[tuple[Level, int], frozenset[str]] = {
    (Level.STUDY, 2): _tags("StudyDescription"),
    (Level.SERIES, 2): _tags("ManufacturerModelName"),
}
"""What version 2 of the API has always returned beyond that."""


def default_tags(level: Level, api_version: int) -> frozenset[str]:
    """The tags of one level that a search answer holds unasked, in version 1 or 2 of the API."""
    return _REQUIRED_TAGS[level] | _FURTHER_TAGS.get((level, api_version), frozenset())
