//! Listings of servers with their own formats.

use super::Sample;

pub(super) const LISTINGS: &[Sample] = &[
    (
        "NetWare",
        &[r"d [RWCEAFMS] supervisor            512       Jan 16 18:53    login"],
        &[r"type=dir;modify=20250116185300; login"],
    ),
    (
        "NetWare",
        &[r"- [R----F--] rhesus             214059       Oct 20 15:27    cx.exe"],
        &[r"type=file;size=214059;modify=20241020152700; cx.exe"],
    ),
    (
        "NetWare without a space",
        &[r"d[RWCEAFMS] admin    512 Oct 20  2003 SYS"],
        &[r"type=dir;modify=20031020000000; SYS"],
    ),
    (
        "publicfile",
        &[r"+i8388621.48594,m825718503,r,s280,\tdjb.html"],
        &[r"type=file;size=280;modify=19960301221503; djb.html"],
    ),
    (
        "publicfile",
        &[r"+i8388621.50690,m824255907,/,\t514 and a tab\t"],
        &[r"type=dir;modify=19960213235827; 514 and a tab?"],
    ),
    (
        "NetWare, in a listing",
        &[
            r"total 0",
            r"d [RWCEAFMS] admin                             512 Feb 13 23:52 SYS",
            r"- [-W---F--] SCION_VOL2                      512 Apr 13  2004 a b",
        ],
        &[r"type=dir;modify=20250213235200; SYS", r"type=file;size=512;modify=20040413000000; a b"],
    ),
    (
        "EPLF with a mode",
        &[r"+i8388621.48594,m825718503,r,s280,up755\tx y"],
        &[r"type=file;size=280;modify=19960301221503; x y"],
    ),
    (
        "OS/2",
        &[r"36611      A    04-23-103  10:57  os2 file"],
        &[r"type=file;size=36611;modify=20030423105700; os2 file"],
    ),
    (
        "OS/2",
        &[r" 1123 DIR  A    10-05-100  23:38  os2 dir"],
        &[r"type=dir;modify=20001005233800; os2 dir"],
    ),
    (
        "OS/2",
        &[
            r"     0           DIR   05-19-97   12:56  local",
            r"     0           DIR   05-19-2000 12:56   blank",
            r"587823    RSA          01-08-97   13:58  OS2KRNL",
        ],
        &[
            r"type=dir;modify=19970519125600; local",
            r"type=dir;modify=20000519125600;  blank",
            r"type=file;size=587823;modify=19970108135800; OS2KRNL",
        ],
    ),
    (
        "VShell",
        &[r"206876  Apr 04, 2000 21:06 vshell file"],
        &[r"type=file;size=206876;modify=20000404210600; vshell file"],
    ),
    (
        "VShell",
        &[r"0  Dec 12, 2002 02:13 vshell dir/"],
        &[r"type=dir;modify=20021212021300; vshell dir"],
    ),
    (
        "VShell",
        &[r"-rwxr-xr-x    1 user group        9 Oct 08, 2002 09:47 vshell new"],
        &[r"type=file;size=9;modify=20021008094700; vshell new"],
    ),
    (
        "Nortel, Bay Networks",
        &[r"wfftp.exe       1014196  06/03/04  Thur.   10:20:03"],
        &[r"type=file;size=1014196;modify=20040603102003; wfftp.exe"],
    ),
    (
        "Nortel, Bay Networks",
        &[r"config          12345  11/30/12  Fri.   10:20:03"],
        &[r"type=file;size=12345;modify=20121130102003; config"],
    ),
    (
        "Nortel, VxWorks",
        &[
            r"  size          date       time       name",
            r"--------       ------     ------    --------",
            r"    2048    Feb-28-1998  05:23:30   vxworks dir       <DIR>",
            r"     512    Jan-01-1980  00:00:00   short.txt         ",
            r"   77824    Mar-17-2004  11:12:13   a name that is long.bin",
        ],
        &[
            r"type=dir;modify=19980228052330; vxworks dir",
            r"type=file;size=512;modify=19800101000000; short.txt",
            r"type=file;size=77824;modify=20040317111213; a name that is long.bin",
        ],
    ),
    (
        "Connect:Enterprise",
        &[r"-C--E-----FTP B BCC3I1       7670  1294495 Jan 13 07:42 conent file"],
        &[r"type=file;size=1294495;modify=20250113074200; conent file"],
    ),
    (
        "Connect:Enterprise",
        &[r"-C--E-----FTP A QUA1I1      18128       41 Apr 1 2014 QUADTEST3"],
        &[r"type=file;size=41;modify=20140401000000; QUADTEST3"],
    ),
    (
        "OS-9",
        &[
            r"                            Directory of /h0/usr 10:26:11",
            r" Owner    Last modified   Attributes Sector  Bytecount Name",
            r"-------  -------------  ---------- ------- ---------- ----",
            r"20.20 07/03/29 1026 d-ewrewr 2650 85920 os9 dir",
            r"0.0  99/12/31 2359 ------wr 1F0 77 startup",
            r"0.0  99/12/31 2359 ------wr 1F0 7A hex",
        ],
        &[
            r"type=dir;modify=20070329102600; os9 dir",
            r"type=file;size=77;modify=19991231235900; startup",
            r"type=file;modify=19991231235900; hex",
        ],
    ),
    (
        "HP NonStop",
        &[
            r"File         Code             EOF  Last Modification    Owner  RWEP",
            r"",
            r#"DATAFILE      101             528 6-Apr-07 14:21:18 255, 0 "oooo""#,
            r#"OBJECT        700          528000 16-Apr-2017 14:21:18 255,255 "nunu""#,
        ],
        &[
            r"type=file;size=528;modify=20070406142118; DATAFILE",
            r"type=file;size=528000;modify=20170416142118; OBJECT",
        ],
    ),
    ("names alone are not known for any kind", &[r"file1", r"file2"], &[r"? file1", r"? file2"]),
    (
        "messages in place of entries",
        &[r"ls: cannot access x: No such file or directory"],
        &[r"? ls: cannot access x: No such file or directory"],
    ),
];
