"""What requests for the change feed are refused with."""

OFFSET = "The query parameter 'Offset' is invalid. The field Offset must be 0 or more."
METADATA = "The query parameter 'IncludeMetadata' is invalid. The field IncludeMetadata must be true or false."
MOMENT = (
    "The query parameter '{0}' is invalid. "
    "The field {0} must be a date and time with Z or an offset from UTC, such as 2024-02-29T13:00:00Z."
)
BACKWARDS = "The query parameter 'EndTime' is invalid. The field EndTime must be after StartTime."
PARTITION = (
    "The query parameter 'Partition' is invalid. "
    "A partition name is 1 to 64 letters, digits, dots, hyphens or underscores."
)
STUDY = "The query parameter 'Study' is invalid. A UID takes 1 to 64 digits and dots and ends in a digit."
ACTION = (
    "The query parameter 'Action' is invalid. The field Action takes create, update and delete, with commas between."
)
WAIT = "The query parameter 'Wait' is invalid. The field Wait must be between 0 and 60, in seconds."
