//! Listings of VMS.

use super::Sample;

pub(super) const LISTINGS: &[Sample] = &[
    (
        "VMS",
        &[r"README.TXT;4  1/2  2-JAN-2025 03:04:05 [SYSTEM] (RWED,RE,RE,)"],
        &[r"type=file;modify=20250102030405; README.TXT"],
    ),
    (
        "VMS",
        &[r"PUB.DIR;1  1 19-NOV-2001 21:41 [ftp,root] (RWE,RWE,RE,RE)"],
        &[r"type=dir;modify=20011119214100; PUB"],
    ),
    (
        "VMS without a time",
        &[r"A.B;12    2/8    15-JAN-2000    [IV2_XXX]   (RWED,RWED,RE,)"],
        &[r"type=file;modify=20000115000000; A.B"],
    ),
    (
        "a size of blocks and a fraction of a second",
        &[r"DATA.TXT;1       155   2-JUL-2003 10:30:13.64"],
        &[r"type=file;modify=20030702103013; DATA.TXT"],
    ),
    (
        "a size in kilobytes",
        &[r"COMPLEX.SIZE;1 2KB 23-SEP-2005 14:57:07.27"],
        &[r"type=file;modify=20050923145707; COMPLEX.SIZE"],
    ),
    (
        "a month in another language",
        &[r"NOTIME.DAT;1    6/8    15-JUI-2002    PRONAS   (RWED,RWED,RE,)"],
        &[r"type=file;modify=20020715000000; NOTIME.DAT"],
    ),
    (
        "another order of the columns",
        &[r"ORDER.TXT;1   [SUMMARY]    1/3     2-AUG-2006 13:05  (RWE,RWE,RE,)"],
        &[r"type=file;modify=20060802130500; ORDER.TXT"],
    ),
    (
        "another order of the columns",
        &[r"ORDER.TXT;1       17-JUN-1994 17:25:37     6308/13     (RWED,RWED,R,)"],
        &[r"type=file;modify=19940617172537; ORDER.TXT"],
    ),
    (
        "an owner that is cut off",
        &[
            r"FREEWARE40.DIR;1        27/36         16-FEB-1999 10:01:46  [AP_HTTPD,APACHE$WWW                               (RWE,RWE,RE,RE)",
        ],
        &[r"type=dir;modify=19990216100146; FREEWARE40"],
    ),
    (
        "lower case",
        &[
            r"notes.txt;3              9/9           2-jun-1998 07:32:04  [GROUP,OWNER]    (RWED,RWED,RWED,RE)",
        ],
        &[r"type=file;modify=19980602073204; notes.txt"],
    ),
    (
        "ODS-5 names",
        &[r"a^.b^_c^2Bd.txt;1    2/8    7-JAN-2000 01:02"],
        &[r"type=file;modify=20000107010200; a.b c+d.txt"],
    ),
    (
        "a whole listing",
        &[
            r"Directory USER1:[TEMP]",
            r"",
            r"1-JUN.LIS;1              9/9           2-JUN-1998 07:32:04  [GROUP,OWNER]    (RWED,RWED,RWED,RE)",
            r"3-JUN.LIS;4              9/9           7-JUN-1998 07:32:04  [GROUP,OWNER]    (RWED,RWED,RWED,)",
            r"3-JUN.LIS;3              9/9           6-JUN-1998 07:32:04  [GROUP,OWNER]    (RWED,RWED,RWED,)",
            r"3-JUN.LIS;12             9/9           8-JUN-1998 07:32:04  [GROUP,OWNER]    (RWED,RWED,RWED,)",
            r"A_VERY_LONG_NAME_OF_A_PROCEDURE.COM;12",
            r"                        14/15         24-JUL-2002 14:35:40  [TRANSLATED]    (RWE,RWE,RWE,RE)",
            r"ANOTHER_LONG_NAME.LOG;1",
            r"170774/170775     24-APR-2003 08:16:15  [FTP_CLIENT,SCOT]      (RWED,RWED,RE,)",
            r"",
            r"Total of 6 files, 170833/170844 blocks",
        ],
        &[
            r"type=file;modify=19980602073204; 1-JUN.LIS",
            r"type=file;modify=19980608073204; 3-JUN.LIS",
            r"type=file;modify=20020724143540; A_VERY_LONG_NAME_OF_A_PROCEDURE.COM",
            r"type=file;modify=20030424081615; ANOTHER_LONG_NAME.LOG",
        ],
    ),
    (
        "a name without its second line",
        &[
            r"LONG_NAME_ONE.COM;1",
            r"LONG_NAME_TWO.COM;1",
            r"    14/15         24-JUL-2002 14:35:40",
            r"SECRET.TXT;1   %RMS-E-PRV, insufficient privilege or file protection violation",
            r"",
            r"Total of 3 files",
        ],
        &[
            r"? LONG_NAME_ONE.COM;1",
            r"type=file;modify=20020724143540; LONG_NAME_TWO.COM",
            r"? SECRET.TXT;1   %RMS-E-PRV, insufficient privilege or file protection violation",
        ],
    ),
];
