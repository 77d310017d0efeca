//! Listings of DOS and Windows.

use super::Sample;

pub(super) const LISTINGS: &[Sample] = &[
    (
        "IIS",
        &[r"01-02-25  03:04PM       <DIR>          aspnet client"],
        &[r"type=dir;modify=20250102150400; aspnet client"],
    ),
    (
        "IIS",
        &[r"12-31-99  12:00AM                 1204  two  blanks.txt"],
        &[r"type=file;size=1204;modify=19991231000000;  two  blanks.txt"],
    ),
    (
        "IIS with long years",
        &[r"01-02-2025  03:04AM                    0 empty"],
        &[r"type=file;size=0;modify=20250102030400; empty"],
    ),
    (
        "a DOS server with the year first",
        &[r"2025-01-02  18:48                9,730 commas.zip"],
        &[r"type=file;size=9730;modify=20250102184800; commas.zip"],
    ),
    (
        "a junction",
        &[r"01-02-25  03:04PM       <JUNCTION>     there"],
        &[r"type=OS.unix=other;modify=20250102150400; there"],
    ),
    (
        "IIS with slashes",
        &[r"05/14/2014  11:19 PM       <DIR>          slashes"],
        &[r"type=dir;modify=20140514231900; slashes"],
    ),
    (
        "IIS with slashes",
        &[r"05/14/14  12:05 am                 77 b c"],
        &[r"type=file;size=77;modify=20140514000500; b c"],
    ),
    (
        "long years",
        &[r"2014/05/14  11:19       <DIR>          2013 x"],
        &[r"type=dir;modify=20140514111900; 2013 x"],
    ),
    (
        "long years",
        &[r"12-05-1996  17:03         <DIR>          absoft2"],
        &[r"type=dir;modify=19961205170300; absoft2"],
    ),
    (
        "separators of thousands",
        &[r"05-14-14  12:05PM            1,234,567 a"],
        &[r"type=file;size=1234567;modify=20140514120500; a"],
    ),
    (
        "separators of thousands",
        &[r"14.05.2014  12:05            1.234.567 b"],
        &[r"type=file;size=1234567;modify=20140514120500; b"],
    ),
    (
        "separators that separate no thousands",
        &[r"05-14-14  12:05PM            1,23 a"],
        &[r"? 05-14-14  12:05PM            1,23 a"],
    ),
    (
        "Windows links",
        &[r"05/14/2014  11:19 PM    <JUNCTION>     All Users [C:\ProgramData]"],
        &[r"type=OS.unix=other;modify=20140514231900; All Users"],
    ),
    (
        "Windows links",
        &[r"05/14/2014  11:19 PM    <SYMLINKD>     up [..\up]"],
        &[r"type=OS.unix=other;modify=20140514231900; up"],
    ),
    (
        "Windows links",
        &[r"05/14/2014  11:19 PM    <SYMLINK>      odd [2014]"],
        &[r"type=OS.unix=other;modify=20140514231900; odd [2014]"],
    ),
    (
        "names that begin with blanks",
        &[r"05/14/2014  11:19 PM    <DIR>             three"],
        &[r"type=dir;modify=20140514231900;    three"],
    ),
    (
        "a date whose order is clear from the listing",
        &[
            r"04-03-18  10:00AM       <DIR>          april",
            r"13-03-18  10:00AM       <DIR>          march",
        ],
        &[r"type=dir;modify=20180304100000; april", r"type=dir;modify=20180313100000; march"],
    ),
    (
        "a date that only one order makes past",
        &[r"02-10-25  10:00AM                 1 a"],
        &[r"type=file;size=1;modify=20250210100000; a"],
    ),
    (
        "a date that only one order makes past",
        &[r"10-02-25  10:00AM                 1 a"],
        &[r"type=file;size=1;modify=20250210100000; a"],
    ),
    (
        "the command dir",
        &[
            r" Volume in drive C is System",
            r" Volume Serial Number is 1234-ABCD",
            r"",
            r" Directory of C:\\pub",
            r"",
            r"14.05.2014  12:05    <DIR>          .",
            r"14.05.2014  12:05    <DIR>          ..",
            r"14.05.2014  12:05             1.234 a b.txt",
            r"               1 File(s)          1,234 bytes",
            r"               2 Dir(s)  99,999,999 bytes free",
        ],
        &[r"type=file;size=1234;modify=20140514120500; a b.txt"],
    ),
    (
        "Windows CE",
        &[r"01-01-98  05:00       <DIR>          StorageCard"],
        &[r"type=dir;modify=19980101050000; StorageCard"],
    ),
    (
        "Windows CE",
        &[r"09-06-06  19:00                   69 desktop.ini"],
        &[r"type=file;size=69;modify=20060906190000; desktop.ini"],
    ),
];
