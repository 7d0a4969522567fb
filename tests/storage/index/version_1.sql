BEGIN TRANSACTION;
CREATE TABLE instances (
    id INTEGER PRIMARY KEY, partition INTEGER NOT NULL, study INTEGER NOT NULL,
    series INTEGER NOT NULL REFERENCES series ON DELETE CASCADE, uid TEXT NOT NULL, version INTEGER NOT NULL,
    replaced INTEGER NOT NULL, blob TEXT NOT NULL, length INTEGER NOT NULL, transfer_syntax TEXT NOT NULL , SOPClassUID TEXT, InstanceNumber INTEGER
) STRICT;
INSERT INTO "instances" VALUES(1,1,1,1,'1.1.2',12582919,0,'Microsoft.Default/12582919.dcm',1000,'1.2.840.10008.1.2.1','1.2.840.10008.5.1.4.1.1.2',2);
INSERT INTO "instances" VALUES(2,1,1,1,'1.1.1',20971527,1,'Microsoft.Default/20971527.dcm',1000,'1.2.840.10008.1.2.1','1.2.840.10008.5.1.4.1.1.2',1);
INSERT INTO "instances" VALUES(3,2,2,2,'2.1.1',8388615,0,'other/8388615.dcm',1000,'1.2.840.10008.1.2.1','1.2.840.10008.5.1.4.1.1.2',NULL);
CREATE TABLE instances_content (
    id INTEGER PRIMARY KEY REFERENCES instances ON DELETE CASCADE, dataset BLOB NOT NULL,
    metadata BLOB NOT NULL, layout BLOB NOT NULL
) STRICT;
INSERT INTO "instances_content" VALUES(1,X'7B223030303830303136223A7B227672223A225549222C2256616C7565223A5B22312E322E3834302E31303030382E352E312E342E312E312E32225D7D2C223030303830303138223A7B227672223A225549222C2256616C7565223A5B22312E312E32225D7D2C223030323030303133223A7B227672223A224953222C2256616C7565223A5B325D7D7D',X'6D65746164617461',X'6C61796F7574');
INSERT INTO "instances_content" VALUES(2,X'7B223030303830303136223A7B227672223A225549222C2256616C7565223A5B22312E322E3834302E31303030382E352E312E342E312E312E32225D7D2C223030303830303138223A7B227672223A225549222C2256616C7565223A5B22312E312E31225D7D2C223030323030303133223A7B227672223A224953222C2256616C7565223A5B315D7D7D',X'6D65746164617461',X'6C61796F7574');
INSERT INTO "instances_content" VALUES(3,X'7B223030303830303136223A7B227672223A225549222C2256616C7565223A5B22312E322E3834302E31303030382E352E312E342E312E312E32225D7D2C223030303830303138223A7B227672223A225549222C2256616C7565223A5B22322E312E31225D7D7D',X'6D65746164617461',X'6C61796F7574');
CREATE TABLE partitions (
    key INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, created REAL NOT NULL,
    studies INTEGER NOT NULL DEFAULT 0, series INTEGER NOT NULL DEFAULT 0, instances INTEGER NOT NULL DEFAULT 0
) STRICT;
INSERT INTO "partitions" VALUES(1,'Microsoft.Default',1704067200.0,1,1,2);
INSERT INTO "partitions" VALUES(2,'other',1704067200.0,1,1,1);
CREATE TABLE purges (blob TEXT PRIMARY KEY, due REAL NOT NULL) STRICT, WITHOUT ROWID;
INSERT INTO "purges" VALUES('Microsoft.Default/16777223.dcm',2000.0);
INSERT INTO "purges" VALUES('Microsoft.Default/4194311.dcm',1000.0);
CREATE TABLE series (
    id INTEGER PRIMARY KEY, partition INTEGER NOT NULL, study INTEGER NOT NULL REFERENCES studies ON DELETE CASCADE,
    uid TEXT NOT NULL, fingerprint INTEGER NOT NULL, instances INTEGER NOT NULL, modality_name TEXT , SeriesDate TEXT, SeriesTime TEXT, Modality TEXT, SeriesDescription TEXT, ManufacturerModelName TEXT, BodyPartExamined TEXT, SeriesNumber INTEGER, PerformedProcedureStepStartDate TEXT, PerformedProcedureStepStartTime TEXT, RequestAttributesSequence_ScheduledProcedureStepID TEXT, RequestAttributesSequence_RequestedProcedureID TEXT
) STRICT;
INSERT INTO "series" VALUES(1,1,1,'1.1',-3278482089939127942,2,'CT',NULL,NULL,'ct',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "series" VALUES(2,2,2,'2.1',-3321273545990862698,1,'MR',NULL,NULL,'mr',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
CREATE TABLE series_content (
    id INTEGER PRIMARY KEY REFERENCES series ON DELETE CASCADE, dataset BLOB NOT NULL
) STRICT;
INSERT INTO "series_content" VALUES(1,X'7B223030303830303630223A7B227672223A224353222C2256616C7565223A5B224354225D7D2C223030323030303045223A7B227672223A225549222C2256616C7565223A5B22312E31225D7D7D');
INSERT INTO "series_content" VALUES(2,X'7B223030303830303630223A7B227672223A224353222C2256616C7565223A5B224D52225D7D2C223030323030303045223A7B227672223A225549222C2256616C7565223A5B22322E31225D7D7D');
ANALYZE "sqlite_master";
INSERT INTO "sqlite_stat1" VALUES('studies','studies_by_partition_uid','1000000 1000000 1');
INSERT INTO "sqlite_stat1" VALUES('studies','studies_by_partition','1000000 1000000');
INSERT INTO "sqlite_stat1" VALUES('studies','studies_by_partition_PatientID','1000000 1000000 4');
INSERT INTO "sqlite_stat1" VALUES('studies','studies_by_partition_PatientName','1000000 1000000 5');
INSERT INTO "sqlite_stat1" VALUES('studies','studies_by_partition_AccessionNumber','1000000 1000000 1');
INSERT INTO "sqlite_stat1" VALUES('studies','studies_by_partition_StudyDate','1000000 1000000 300');
INSERT INTO "sqlite_stat1" VALUES('studies','studies_by_partition_StudyDescription','1000000 1000000 3000');
INSERT INTO "sqlite_stat1" VALUES('studies','studies_by_partition_StudyID','1000000 1000000 20');
INSERT INTO "sqlite_stat1" VALUES('studies','studies_by_partition_ReferringPhysicianName','1000000 1000000 1000');
INSERT INTO "sqlite_stat1" VALUES('studies','studies_by_partition_PatientBirthDate','1000000 1000000 40');
INSERT INTO "sqlite_stat1" VALUES('series','series_by_partition_uid_study','4000000 4000000 1 1');
INSERT INTO "sqlite_stat1" VALUES('series','series_by_partition','4000000 4000000');
INSERT INTO "sqlite_stat1" VALUES('series','series_by_study_partition','4000000 4 4');
INSERT INTO "sqlite_stat1" VALUES('series','series_by_partition_Modality','4000000 4000000 400000');
INSERT INTO "sqlite_stat1" VALUES('series','series_by_partition_RequestAttributesSequence_ScheduledProcedureStepID','4000000 4000000 4');
INSERT INTO "sqlite_stat1" VALUES('series','series_by_partition_RequestAttributesSequence_RequestedProcedureID','4000000 4000000 4');
INSERT INTO "sqlite_stat1" VALUES('instances','instances_by_partition_uid_series','20000000 20000000 1 1');
INSERT INTO "sqlite_stat1" VALUES('instances','instances_by_partition_version','20000000 20000000 1');
INSERT INTO "sqlite_stat1" VALUES('instances','instances_by_study_partition_version','20000000 80 80 1');
INSERT INTO "sqlite_stat1" VALUES('instances','instances_by_series_partition_version','20000000 20 20 1');
INSERT INTO "sqlite_stat1" VALUES('instances','instances_by_blob','20000000 1');
INSERT INTO "sqlite_stat1" VALUES('study_modalities','study_modalities_by_study','2000000 2');
INSERT INTO "sqlite_stat1" VALUES('study_modalities','study_modalities','2000000 2000000 100000 1');
CREATE TABLE studies (
    id INTEGER PRIMARY KEY, partition INTEGER NOT NULL REFERENCES partitions, uid TEXT NOT NULL,
    fingerprint INTEGER NOT NULL, series INTEGER NOT NULL, instances INTEGER NOT NULL , StudyDate TEXT, StudyTime TEXT, AccessionNumber TEXT, ReferringPhysicianName TEXT, StudyDescription TEXT, PatientName TEXT, PatientID TEXT, IssuerOfPatientID TEXT, PatientBirthDate TEXT, PatientSex TEXT, StudyID TEXT
) STRICT;
INSERT INTO "studies" VALUES(1,1,'1',-3297389636667570574,1,2,NULL,NULL,NULL,NULL,NULL,NULL,'p1',NULL,NULL,NULL,NULL);
INSERT INTO "studies" VALUES(2,2,'2',558696660943448180,1,1,NULL,NULL,NULL,NULL,NULL,NULL,'p2',NULL,NULL,NULL,NULL);
CREATE TABLE studies_content (
    id INTEGER PRIMARY KEY REFERENCES studies ON DELETE CASCADE, dataset BLOB NOT NULL
) STRICT;
INSERT INTO "studies_content" VALUES(1,X'7B223030313030303230223A7B227672223A224C4F222C2256616C7565223A5B225031225D7D2C223030323030303044223A7B227672223A225549222C2256616C7565223A5B2231225D7D7D');
INSERT INTO "studies_content" VALUES(2,X'7B223030313030303230223A7B227672223A224C4F222C2256616C7565223A5B225032225D7D2C223030323030303044223A7B227672223A225549222C2256616C7565223A5B2232225D7D7D');
CREATE TABLE study_modalities (
    partition INTEGER NOT NULL, modality TEXT NOT NULL, study INTEGER NOT NULL REFERENCES studies ON DELETE CASCADE,
    name TEXT NOT NULL, PRIMARY KEY (partition, modality, study)
) STRICT, WITHOUT ROWID;
INSERT INTO "study_modalities" VALUES(1,'ct',1,'CT');
INSERT INTO "study_modalities" VALUES(2,'mr',2,'MR');
CREATE UNIQUE INDEX studies_by_partition_uid ON studies (partition, uid);
CREATE INDEX studies_by_partition ON studies (partition);
CREATE INDEX studies_by_partition_PatientID ON studies (partition, PatientID);
CREATE INDEX studies_by_partition_PatientName ON studies (partition, PatientName);
CREATE INDEX studies_by_partition_AccessionNumber ON studies (partition, AccessionNumber);
CREATE INDEX studies_by_partition_StudyDate ON studies (partition, StudyDate);
CREATE INDEX studies_by_partition_StudyDescription ON studies (partition, StudyDescription);
CREATE INDEX studies_by_partition_StudyID ON studies (partition, StudyID);
CREATE INDEX studies_by_partition_ReferringPhysicianName ON studies (partition, ReferringPhysicianName);
CREATE INDEX studies_by_partition_PatientBirthDate ON studies (partition, PatientBirthDate);
CREATE UNIQUE INDEX series_by_partition_uid_study ON series (partition, uid, study);
CREATE INDEX series_by_partition ON series (partition);
CREATE INDEX series_by_study_partition ON series (study, partition);
CREATE INDEX series_by_partition_Modality ON series (partition, Modality);
CREATE INDEX series_by_partition_RequestAttributesSequence_ScheduledProcedureStepID ON series (partition, RequestAttributesSequence_ScheduledProcedureStepID);
CREATE INDEX series_by_partition_RequestAttributesSequence_RequestedProcedureID ON series (partition, RequestAttributesSequence_RequestedProcedureID);
CREATE UNIQUE INDEX instances_by_partition_uid_series ON instances (partition, uid, series);
CREATE INDEX instances_by_partition_version ON instances (partition, version);
CREATE INDEX instances_by_study_partition_version ON instances (study, partition, version);
CREATE INDEX instances_by_series_partition_version ON instances (series, partition, version);
CREATE UNIQUE INDEX instances_by_blob ON instances (blob);
CREATE INDEX study_modalities_by_study ON study_modalities (study);
COMMIT;