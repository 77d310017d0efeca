//! Listings in the format of `ls -l`.

use super::Sample;

pub(super) const LISTINGS: &[Sample] = &[
    (
        "vsftpd",
        &[r"drwxr-xr-x    2 1000     1000         4096 Jan 15 10:22 in coming"],
        &[r"type=dir;modify=20250115102200; in coming"],
    ),
    (
        "vsftpd",
        &[r"-rw-------    1 ftp      ftp      5368709120 Sep 30  2023 image.iso"],
        &[r"type=file;size=5368709120;modify=20230930000000; image.iso"],
    ),
    (
        "proftpd",
        &[r"-rw-rw-r--   1 ftpadmin ftpusers     8817 Feb 28 23:59 ls-lR.gz"],
        &[r"type=file;size=8817;modify=20250228235900; ls-lR.gz"],
    ),
    ("proftpd", &[r"drwxrwsr-t  14 (?)      (?)          4096 Dec 24 18:00 .."], &[]),
    (
        "pure-ftpd",
        &[r"-rw-r--r--    1 500        500                 12 Mar  2 09:00  leading blank"],
        &[r"type=file;size=12;modify=20250302090000;  leading blank"],
    ),
    (
        "wu-ftpd without a group",
        &[r"dr-xr-xr-x   2 root     512 Apr  8  1994 etc"],
        &[r"type=dir;modify=19940408000000; etc"],
    ),
    (
        "GNU ls with an ACL",
        &[r"-rwxr-xr-x+ 1 joe users 77 2025-01-02 03:04 run.sh"],
        &[r"type=file;size=77;modify=20250102030400; run.sh"],
    ),
    (
        "GNU ls under SELinux",
        &[r"-rw-r--r--. 1 joe users 77 2025-01-02 03:04:05 notes"],
        &[r"type=file;size=77;modify=20250102030405; notes"],
    ),
    (
        "macOS",
        &[r"drwxr-xr-x@  5 joe  staff  160 Nov  5 07:08 Photos Library"],
        &[r"type=dir;modify=20241105070800; Photos Library"],
    ),
    (
        "a Windows server with a domain",
        &[r"-rw-r--r--   1 group domain user 531 Jan 29 03:26 report.doc"],
        &[r"type=file;size=531;modify=20250129032600; report.doc"],
    ),
    (
        "neither links nor owner",
        &[r"-rw-r--r-- 531 Jan 29 03:26 bare"],
        &[r"type=file;size=531;modify=20250129032600; bare"],
    ),
    (
        "a block device",
        &[r"brw-rw----   1 root disk     8,   1 Jan 29 03:26 sda1"],
        &[r"type=OS.unix=other;modify=20250129032600; sda1"],
    ),
    (
        "a character device in one word",
        &[r"crw-rw-rw-   1 root root 1,3 Jan 29 03:26 null"],
        &[r"type=OS.unix=other;modify=20250129032600; null"],
    ),
    (
        "a socket",
        &[r"srwxrwxrwx   1 root root 0 Jan 29 03:26 log"],
        &[r"type=OS.unix=other;modify=20250129032600; log"],
    ),
    (
        "the columns of ls -l",
        &[r"drwxr-x---   3 mail     staff        512 May 14  1997 old box"],
        &[r"type=dir;modify=19970514000000; old box"],
    ),
    (
        "a group of many words",
        &[r"-rw-r--r--   1 ftp      all who may write here, see 4711   83853 Jan 22  2001 z.gz"],
        &[r"type=file;size=83853;modify=20010122000000; z.gz"],
    ),
    (
        "an owner of two words",
        &[r"drwxr-xr-x   2 ann miller     team         4096 Feb  2 15:13 box"],
        &[r"type=dir;modify=20250202151300; box"],
    ),
    (
        "three owner columns",
        &[r"-rw-r--r--   1 staff office ann 645 Jan 30 04:26 plan.odt"],
        &[r"type=file;size=645;modify=20250130042600; plan.odt"],
    ),
    (
        "three owner columns",
        &[r"drwxr-xr-x   4 CORP   Domain  Users 0 Feb 11  2019 shares"],
        &[r"type=dir;modify=20190211000000; shares"],
    ),
    (
        "no group",
        &[r"drwxr-xr-x 1 usernameftp 512 Jan 29 23:32 prog"],
        &[r"type=dir;modify=20250129233200; prog"],
    ),
    (
        "no owner, an odd count of links",
        &[r"-r--r--r-- 0240051 17 Nov 12 2006 note"],
        &[r"type=file;size=17;modify=20061112000000; note"],
    ),
    (
        "no owner, an odd count of links",
        &[r"drwxr-xr-x 0240052 0 Feb  3 10:11 notes"],
        &[r"type=dir;modify=20250203101100; notes"],
    ),
    (
        "links glued to the sign of an ACL",
        &[r"drwxr-x---+1464 chris   chris     41472 Feb 25 13:17 20240225"],
        &[r"type=dir;modify=20250225131700; 20240225"],
    ),
    (
        "links glued to the mode",
        &[r"drwxrwxrwx1024 root   system     40960 Dec 31 23:59 many"],
        &[r"type=dir;modify=20241231235900; many"],
    ),
    (
        "a separate letter for files",
        &[r"frw-r--r--   1 14       staff      119926 Aug 22  2000 jdbc.zip"],
        &[r"type=file;size=119926;modify=20000822000000; jdbc.zip"],
    ),
    (
        "a separate letter for files",
        &[r"frwxr-xr-x   1 14       staff      17 Jan 22 09:08 run"],
        &[r"type=file;size=17;modify=20250122090800; run"],
    ),
    (
        "a size glued to a long group",
        &[r"-r-xr-xr-x longowner longgroup654321 Feb 12 17:20 glued file"],
        &[r"type=file;size=654321;modify=20250212172000; glued file"],
    ),
    (
        "a size glued to a long group",
        &[r"-rw-r--r--   1 administrator domain-users9876543 Nov  3  2011 big.bin"],
        &[r"type=file;size=9876543;modify=20111103000000; big.bin"],
    ),
    (
        "a rounded size",
        &[r"-rw-r--r--   1 root     other  12.5k Oct 5 21:22 named size"],
        &[r"type=file;modify=20241005212200; named size"],
    ),
    (
        "a rounded size",
        &[r"-rw-r--r--   1 root     other  3M Feb 28  2020 large"],
        &[r"type=file;modify=20200228000000; large"],
    ),
    (
        "a rounded size",
        &[r"-rw-r--r--   1 root     other  1.2GB Feb 28  2020 larger"],
        &[r"type=file;modify=20200228000000; larger"],
    ),
    (
        "a Solaris device",
        &[r"crw-------   1 root     sys      109,767 Jul  2  2004 pci@1c,600000:devctl"],
        &[r"type=OS.unix=other;modify=20040702000000; pci@1c,600000:devctl"],
    ),
    (
        "a FreeBSD device",
        &[r"crw-r----- 1 root kmem 0, 27 Jan 30 11:42 kmem"],
        &[r"type=OS.unix=other;modify=20250130114200; kmem"],
    ),
    (
        "NetPresenz",
        &[r"-------r--         415  1481083  1481498 Nov 23  1996 netpresenz file"],
        &[r"type=file;size=1481498;modify=19961123000000; netpresenz file"],
    ),
    (
        "NetPresenz",
        &[r"drwxrwxr-x               folder        3 May 11  1997 netpresenz dir"],
        &[r"type=dir;modify=19970511000000; netpresenz dir"],
    ),
    (
        "Peter's server for the Mac",
        &[r"-rw-r--r--    61253       38936   100189 Aug 21  2011 photo 09.jpg"],
        &[r"type=file;size=100189;modify=20110821000000; photo 09.jpg"],
    ),
    (
        "Peter's server for the Mac",
        &[r"drwxr-xr-x               folder        0 Jan  4 14:51 Alias"],
        &[r"type=dir;modify=20250104145100; Alias"],
    ),
    ("no date", &[r"drwxr-xr-x 3 anna devlab 512 42-dateless"], &[r"type=dir; 42-dateless"]),
    (
        "no date",
        &[r"-rw-r--r-- 1 anna devlab 77 a name of words"],
        &[r"type=file;size=77; a name of words"],
    ),
    (
        "an unknown date is not a name",
        &[r"-rw-r--r-- 1 root sys 8473 18 Blurb 2003 file"],
        &[r"? -rw-r--r-- 1 root sys 8473 18 Blurb 2003 file"],
    ),
    (
        "an unknown date is not a name",
        &[r"-rw-r--r-- 1 root sys 8473 Blurb 18 2003 file"],
        &[r"? -rw-r--r-- 1 root sys 8473 Blurb 18 2003 file"],
    ),
    (
        "an owner as a number and no date",
        &[r"-rw-r--r-- 1 500 512 2013 report"],
        &[r"? -rw-r--r-- 1 500 512 2013 report"],
    ),
    (
        "a mode as a number",
        &[r"0100640   501  102   23456    234567890       numeric file"],
        &[r"type=file;size=23456;modify=19770607214450; numeric file"],
    ),
    (
        "a mode as a number",
        &[r"040755   0  0   512    1700000000 numeric dir"],
        &[r"type=dir;modify=20231114221320; numeric dir"],
    ),
    (
        "a mode as a number",
        &[r"0120777   0  0   5    1700000000 link"],
        &[r"type=OS.unix=symlink;modify=20231114221320; link"],
    ),
    (
        "links",
        &[
            r"lrwxrwxrwx   1 root     other          7 Jan 25 00:17 std link -> usr/bin",
            r"lrwxrwxrwx   1 root     other          1 Jan 25 00:17 a -> b -> c",
            r"lrwxrwxrwx   1 root     other          6 Jan 25 00:17 d -> b -> c",
            r"lrwxrwxrwx   1 root     other          6 2025-01-25 00:17  lead -> target",
        ],
        &[
            r"type=OS.unix=slink:usr/bin;modify=20250125001700; std link",
            r"type=OS.unix=slink:c;modify=20250125001700; a -> b",
            r"type=OS.unix=symlink;modify=20250125001700; d",
            r"type=OS.unix=slink:target;modify=20250125001700;  lead",
        ],
    ),
    (
        "a whole listing of vsftpd",
        &[
            r"total 24",
            r"drwxr-xr-x    3 0        0            4096 Feb 27 11:00 .",
            r"drwxr-xr-x   19 0        0            4096 Feb 27 10:59 ..",
            r"-rw-r--r--    1 1000     1000            0 Feb 27 11:00  leading",
            r"-rw-r--r--    1 1000     1000            0 Feb 27 11:00 trailing  ",
            r"-rw-r--r--    1 1000     1000            0 Feb 27 11:00 12:30 2013 x",
            r"drwxr-xr-x    2 1000     1000         4096 Feb 27 11:00 -> x",
        ],
        &[
            r"type=file;size=0;modify=20250227110000;  leading",
            r"type=file;size=0;modify=20250227110000; trailing  ",
            r"type=file;size=0;modify=20250227110000; 12:30 2013 x",
            r"type=dir;modify=20250227110000; -> x",
        ],
    ),
    (
        "an owner that is called like a month",
        &[
            r"-rw-r--r--   1 may      7            2005 Jan  2 03:04 x",
            r"-rw-r--r--   1 2        2            2005 Jan  2 03:04 y",
            r"-rw-r--r--   1 5        12           2005 Jan  2 03:04 z",
        ],
        &[
            r"type=file;size=2005;modify=20250102030400; x",
            r"type=file;size=2005;modify=20250102030400; y",
            r"type=file;size=2005;modify=20250102030400; z",
        ],
    ),
    (
        "ls -F",
        &[
            r"total 8",
            r"drwxr-xr-x    2 joe  users     4096 Feb 27 11:00 dir/",
            r"-rwxr-xr-x    1 joe  users       12 Feb 27 11:00 run*",
            r"-rw-r--r--    1 joe  users       12 Feb 27 11:00 star*",
            r"lrwxrwxrwx    1 joe  users        3 Feb 27 11:00 to -> run",
            r"prw-r--r--    1 joe  users        0 Feb 27 11:00 pipe|",
        ],
        &[
            r"type=dir;modify=20250227110000; dir",
            r"type=file;size=12;modify=20250227110000; run",
            r"type=file;size=12;modify=20250227110000; star*",
            r"type=OS.unix=slink:run;modify=20250227110000; to",
            r"type=OS.unix=other;modify=20250227110000; pipe",
        ],
    ),
    (
        "a star that belongs to the name",
        &[r"-rwxr-xr-x    1 joe  users       12 Feb 27 11:00 run*"],
        &[r"type=file;size=12;modify=20250227110000; run*"],
    ),
    (
        "the sum in other languages",
        &[r"insgesamt 12", r"-rw-r--r-- 1 a b 7 Jan 25 00:17 x"],
        &[r"type=file;size=7;modify=20250125001700; x"],
    ),
    ("a sum above nothing", &[r"total 0"], &[]),
    ("a sum above nothing", &[r"total 1.5M"], &[]),
    ("a sum above nothing", &[r"total de 12"], &[]),
    ("a sum above nothing", &[r"razem 4"], &[]),
    ("a sum above nothing", &[r"итого 4"], &[]),
    ("a sum above nothing", &[r"\xe8\xf2\xee\xe3\xee 4"], &[]),
    ("a sum above nothing", &[r"合計 4"], &[]),
    ("a sum above nothing", &[r"\x8d\x87\x8cv 4"], &[]),
    ("a sum above nothing", &[r"\xd7\xdc\xd3\xc3\xc1\xbf 4"], &[]),
    ("a sum above nothing", &[r"yhteens\xe4 4"], &[]),
    ("a sum above nothing", &[r"Gesamt: 4"], &[]),
];
