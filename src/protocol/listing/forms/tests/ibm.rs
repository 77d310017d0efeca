//! Listings of AS/400, z/OS and z/VM.

use super::Sample;

pub(super) const LISTINGS: &[Sample] = &[
    (
        "AS/400 with the month first",
        &[r"QSYS            77824 02/23/00 15:09:55 *DIR dir one/"],
        &[r"type=dir;modify=20000223150955; dir one"],
    ),
    (
        "AS/400 with the day first",
        &[r"QSYS            77824 23/02/00 15:09:55 *FILE      TWO.FILE"],
        &[r"type=file;modify=20000223150955; TWO.FILE"],
    ),
    (
        "AS/400 with full stops",
        &[r"QPGMR           36864 18.09.06 14:21:26 *FILE      THREE.FILE"],
        &[r"type=file;modify=20060918142126; THREE.FILE"],
    ),
    (
        "AS/400, files of the root",
        &[
            r"RADDATZ           200 21.05.11 12:31:18 *STMF      TEST CRLF.properties",
            r"RADDATZ          8192 04.07.13 09:04:14 *DIR       testDir1/",
            r"RADDATZ          8192 04.07.13 09:04:14 *STMF       blank",
            r"RADDATZ           200 21.05.11 12:31:18 *STMF      /home/raddatz/whole path",
        ],
        &[
            r"type=file;size=200;modify=20110521123118; TEST CRLF.properties",
            r"type=dir;modify=20130704090414; testDir1",
            r"type=file;size=8192;modify=20130704090414;  blank",
            r"? RADDATZ           200 21.05.11 12:31:18 *STMF      /home/raddatz/whole path",
        ],
    ),
    (
        "AS/400, the year first",
        &[
            r"PEP              4019 04/03/18 18:58:16 *STMF      a.zip",
            r"PEP              4019 04/13/18 18:58:16 *STMF      b.zip",
        ],
        &[
            r"type=file;size=4019;modify=20180403185816; a.zip",
            r"type=file;size=4019;modify=20180413185816; b.zip",
        ],
    ),
    (
        "AS/400, the year first",
        &[
            r"PEP              4019 04/03/18 18:58:16 *STMF      a.zip",
            r"PEP              4019 99/03/18 18:58:16 *STMF      b.zip",
        ],
        &[
            r"type=file;size=4019;modify=20040318185816; a.zip",
            r"type=file;size=4019;modify=19990318185816; b.zip",
        ],
    ),
    (
        "AS/400, the members of a file",
        &[
            r"QPGMR          135168 22.06.13 13:18:19 *FILE",
            r"QPGMR                                   *MEM       MKCMD.MBR",
            r"QPGMR                                   *MEM       RUCALLTST.MBR",
            r"QPGMR                                   *MEM       OTHER.FILE/RUN.MBR",
        ],
        &[
            r"type=file; MKCMD.MBR",
            r"type=file; RUCALLTST.MBR",
            r"? QPGMR                                   *MEM       OTHER.FILE/RUN.MBR",
        ],
    ),
    (
        "z/OS, data sets",
        &[
            r"Volume Unit    Referred Ext Used Recfm Lrecl BlkSz Dsorg Dsname",
            r"WYOSPT 3420   2003/05/21  1  200  FB      80  8053  PS  SEQ.FILE",
            r"WPTA01 3290   2004/03/04  1    3  FB      80  3125  PO  LIB.ONE",
            r"WYOSPT 3420   2003/05/21  1    3  U     6447  6447  PO-E LIB.TWO",
            r"NRP004 3390   **NONE**    1   15  NONE     0     0  PO  NO.DATE",
            r"TSO005 3390   2005/06/06 213000 U 0 27998 PO GLUED.COLUMNS",
            r"GISBWI 3390   2011/08/25  2 ++++  FB     904 18080  PS  MANY.TRACKS",
            r"WYOSPT 3420   2003/05/21  1 ????  FB      80  8053  PS  UNKNOWN.TRACKS",
            r"TSO004 3390   VSAM CLUSTER",
            r"Migrated                                                OLD.DATA",
            r"V43525 Tape                                             TAPE.FILE",
            r"ARCIVE Not Direct Access Device                         ARCHIVED.FILE",
            r"Pseudo Directory                                        QUALIF",
            r"XYZ123 Error determining attributes                     BROKEN",
            r"something else altogether",
        ],
        &[
            r"type=file;modify=20030521000000; SEQ.FILE",
            r"type=dir;modify=20040304000000; LIB.ONE",
            r"type=dir;modify=20030521000000; LIB.TWO",
            r"type=dir; NO.DATE",
            r"type=dir;modify=20050606000000; GLUED.COLUMNS",
            r"type=file;modify=20110825000000; MANY.TRACKS",
            r"type=file;modify=20030521000000; UNKNOWN.TRACKS",
            r"type=OS.unix=other; CLUSTER",
            r"type=file; OLD.DATA",
            r"type=file; TAPE.FILE",
            r"type=file; ARCHIVED.FILE",
            r"type=dir; QUALIF",
            r"type=OS.unix=other; BROKEN",
            r"? something else altogether",
        ],
    ),
    (
        "z/OS, lines alone",
        &[r"SAVE00 3390   2004/06/23  1    1  FB     128  6144  PS    INCOMING.D061704"],
        &[r"type=file;modify=20040623000000; INCOMING.D061704"],
    ),
    (
        "z/OS, lines alone",
        &[r"PEX26F 3390   2017/07/03  115807  FB   29600 29600  PS    INCOMING.FIN"],
        &[r"type=file;modify=20170703000000; INCOMING.FIN"],
    ),
    (
        "z/OS, lines alone",
        &[r"Migrated                                                  HLQ.NAME"],
        &[r"type=file; HLQ.NAME"],
    ),
    (
        "z/OS, members",
        &[
            r" Name     VV.MM   Created       Changed      Size  Init   Mod   Id",
            r"SAVE03    01.03 2002/09/12 2002/10/11 09:37    11    11     0 KIL001",
            r"SAVE04",
            r"SAVE05                                                               ",
        ],
        &[r"type=file;modify=20021011093700; SAVE03", r"type=file; SAVE04", r"type=file; SAVE05"],
    ),
    (
        "z/OS, load modules",
        &[
            r" Name      Size     TTR   Alias-of AC --------- Attributes --------- Amode Rmode",
            r"LOADMOD1 00B308   000411           00 FO                               31    ANY",
            r"LOADMOD2 00B308   000411           00 FO             RN RU             ANY   24",
            r"LOADMOD3 00B308   000411  LOADMOD1 00 FO                               31    ANY",
        ],
        &[r"type=file; LOADMOD1", r"type=file; LOADMOD2", r"type=file; LOADMOD3"],
    ),
    (
        "z/OS, lines alone",
        &[r"MEMBER1 01.01 2004/06/22 2004/06/22 16:32   128   128    0 BOBY12"],
        &[r"type=file;modify=20040622163200; MEMBER1"],
    ),
    ("z/OS, a member alone is not known for one", &[r"MEMBER1"], &[r"? MEMBER1"]),
    (
        "z/OS, jobs of level 1",
        &[
            r"IBMUSER1  JOB01906  OUTPUT    3 Spool Files",
            r"IBMUSER   TSU01830  ACTIVE    0 Spool Files",
        ],
        &[r"type=file; JOB01906", r"type=file; TSU01830"],
    ),
    (
        "z/OS, jobs of level 2",
        &[
            r"JOBNAME  JOBID    OWNER    STATUS CLASS",
            r"IBMUSER1 JOB01906 IBMUSER  OUTPUT A        RC=0000 3 spool files",
            r"IBMUSER  TSU01830 IBMUSER  OUTPUT TSU      ABEND=522 3 spool files",
        ],
        &[r"type=file; JOB01906", r"type=file; TSU01830"],
    ),
    (
        "z/VM",
        &[
            r"PROFILE  EXEC     V        65      107        2 2005-10-04 15:28:42 060191",
            r"FIXED    DATA     F        80      100        2 2005-10-04 15:28:42 060191",
            r"OLDSTUFF DIR      -         -        - 1998-05-05 16:11:01 -",
        ],
        &[
            r"type=file;modify=20051004152842; PROFILE.EXEC",
            r"type=file;size=8000;modify=20051004152842; FIXED.DATA",
            r"type=dir;modify=19980505161101; OLDSTUFF",
        ],
    ),
];
