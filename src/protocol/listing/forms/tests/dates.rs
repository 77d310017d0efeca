//! Dates of `ls -l` in many orders and languages.

use super::Sample;

pub(super) const LISTINGS: &[Sample] = &[
    (
        "a month as a number",
        &[r"-rw-r--r--   1 root     other        531 8 17 03:26 numbers"],
        &[r"type=file;size=531;modify=20240817032600; numbers"],
    ),
    (
        "a month as a number",
        &[r"-rw-r--r--   1 root     other        531 3 29 2003 numbers"],
        &[r"type=file;size=531;modify=20030329000000; numbers"],
    ),
    (
        "a month as a number",
        &[r"-rw-r--r--   1 root     other        531 29 3 2003 day first"],
        &[r"type=file;size=531;modify=20030329000000; day first"],
    ),
    (
        "month and day in one word",
        &[r"-rw-r--r--   1 root     other        531 07-21 2011 a b"],
        &[r"type=file;size=531;modify=20110721000000; a b"],
    ),
    (
        "month and day in one word",
        &[r"-rw-r--r--   1 root     other        531 09-26 13:45 a b"],
        &[r"type=file;size=531;modify=20240926134500; a b"],
    ),
    (
        "month and day in one word",
        &[r"-rw-r--r--   1 root     other        531 26-09 13:45 day first"],
        &[r"type=file;size=531;modify=20240926134500; day first"],
    ),
    (
        "month and day in one word",
        &[r"-rw-r--r--   1 root     other        531 1/15 08:30 slash"],
        &[r"type=file;size=531;modify=20250115083000; slash"],
    ),
    (
        "day, month and year by number",
        &[r"-rw-r--r--   1 root     other        531 25-06-2013 17:12 a b"],
        &[r"type=file;size=531;modify=20130625171200; a b"],
    ),
    (
        "day, month and year by number",
        &[r"-rw-r--r--   1 root     other        531 24/04/2003 07:08 c"],
        &[r"type=file;size=531;modify=20030424070800; c"],
    ),
    (
        "a date between full stops",
        &[r"-rw-r--r--   1 root     other        531 2014.08.19   a b"],
        &[r"type=file;size=531;modify=20140819000000; a b"],
    ),
    (
        "a date between full stops",
        &[r"-rw-r--r--   1 root     other        531 2014.08.19 12:13 c"],
        &[r"type=file;size=531;modify=20140819121300; c"],
    ),
    (
        "a date between full stops",
        &[r"-rw-r--r--   1 root     other        531 19.08.2014 12:13 d"],
        &[r"type=file;size=531;modify=20140819121300; d"],
    ),
    (
        "the year first",
        &[r"-rw-r--r--   1 root     other        531 1998/11/13 18:13 a b"],
        &[r"type=file;size=531;modify=19981113181300; a b"],
    ),
    (
        "the year first",
        &[r"-rw-r--r--   1 root     other        531 2005-07-08 21:22 2013 c"],
        &[r"type=file;size=531;modify=20050708212200; 2013 c"],
    ),
    (
        "the year first",
        &[r"-rw-r--r--   1 root     other        531 2001-04-27  iso"],
        &[r"type=file;size=531;modify=20010427000000; iso"],
    ),
    (
        "the year first",
        &[r"-rw-r--r--   1 root     other        531 2001-04-27 30.5 iso"],
        &[r"type=file;size=531;modify=20010427000000; 30.5 iso"],
    ),
    (
        "the month by name in one word",
        &[r"-rw-r--r--   1 root     other        531 11-sep-98 a b"],
        &[r"type=file;size=531;modify=19980911000000; a b"],
    ),
    (
        "the month by name in one word",
        &[r"-rw-r--r--   1 root     other        531 02-JAN-2001 11:22 c"],
        &[r"type=file;size=531;modify=20010102112200; c"],
    ),
    (
        "the month by name in one word",
        &[r"-rw-r--r--   1 root     other        531 sep-11-98 d"],
        &[r"type=file;size=531;modify=19980911000000; d"],
    ),
    (
        "the day before the month",
        &[r"-rw-r--r--   1 root     other        531 03 nov 2006 a b"],
        &[r"type=file;size=531;modify=20061103000000; a b"],
    ),
    (
        "the day before the month",
        &[r"-rw-r--r--   1 root     other        531 3 Nov 12:07 c"],
        &[r"type=file;size=531;modify=20241103120700; c"],
    ),
    (
        "the day before the month",
        &[r"-rw-r--r--   1 root     other        531 21 Aug 02:27 2013 Accounts"],
        &[r"type=file;size=531;modify=20240821022700; 2013 Accounts"],
    ),
    (
        "the day before the month",
        &[r"-rw-r--r--   1 root     other        531 29 Feb 2024 leap"],
        &[r"type=file;size=531;modify=20240229000000; leap"],
    ),
    (
        "year and time",
        &[r"-rw-r--r--   1 root     other        531 Nov 07, 2005 09:47 a b"],
        &[r"type=file;size=531;modify=20051107094700; a b"],
    ),
    (
        "year and time",
        &[r"-rw-r--r--   1 root     other        531 Feb 8, 2025 09:47 2013 c"],
        &[r"type=file;size=531;modify=20250208094700; 2013 c"],
    ),
    (
        "year and time",
        &[r"-rw-r--r--   1 root     other        531 Nov 07, 2005 report"],
        &[r"type=file;size=531;modify=20051107000000; report"],
    ),
    (
        "a year that begins the name",
        &[r"-rw-r--r--   1 root     other        531 Feb 21 02:27 2013 Accounts"],
        &[r"type=file;size=531;modify=20250221022700; 2013 Accounts"],
    ),
    (
        "a year that begins the name",
        &[r"-rw-r--r--   1 root     other        531 Feb 21 2013 2012 Accounts"],
        &[r"type=file;size=531;modify=20130221000000; 2012 Accounts"],
    ),
    (
        "a year that begins the name",
        &[r"-rw-r--r--   1 root     other        531 Feb 21 02:27 1999"],
        &[r"type=file;size=531;modify=20250221022700; 1999"],
    ),
    (
        "full ISO",
        &[r"-rw-r--r--   1 root     other        531 2025-01-02 03:04:05.123456789 +0200 a b"],
        &[r"type=file;size=531;modify=20250102010405; a b"],
    ),
    (
        "full ISO",
        &[r"-rw-r--r--   1 root     other        531 2024-12-31 23:30:00.000000000 -0130 c"],
        &[r"type=file;size=531;modify=20250101010000; c"],
    ),
    (
        "full ISO",
        &[r"-rw-r--r--   1 root     other        531 2024-12-31 23:30:00 +05000 d"],
        &[r"type=file;size=531;modify=20241231233000; +05000 d"],
    ),
    (
        "ls -lT and old versions of ls --full-time",
        &[r"-rw-r--r--   1 root     other        531 Jan  2 03:04:05 2025 a b"],
        &[r"type=file;size=531;modify=20250102030405; a b"],
    ),
    (
        "ls -lT and old versions of ls --full-time",
        &[r"-rw-r--r--   1 root     other        531 Thu Jan  2 03:04:05 2025 c"],
        &[r"type=file;size=531;modify=20250102030405; c"],
    ),
    (
        "ls -lT and old versions of ls --full-time",
        &[r"-rw-r--r--   1 root     other        531 Jan  2 03:04:05 2025"],
        &[r"type=file;size=531;modify=20250102030405; 2025"],
    ),
    (
        "ls -lT and old versions of ls --full-time",
        &[r"-rw-r--r--   1 root     other        531 Jan  2 03:04:05 x"],
        &[r"type=file;size=531;modify=20250102030405; x"],
    ),
    (
        "the end of a day",
        &[r"-rw-r--r--   1 root     other        531 Apr   4 24:00 midnight"],
        &[r"type=file;size=531;modify=20240405000000; midnight"],
    ),
    (
        "the end of a day",
        &[r"-rw-r--r--   1 root     other        531 2024-12-31 24:00 year"],
        &[r"type=file;size=531;modify=20250101000000; year"],
    ),
    (
        "a time with a full stop",
        &[r"-rw-r--r--   1 root     other        531 Jan 29 03.26 a b"],
        &[r"type=file;size=531;modify=20250129032600; a b"],
    ),
    (
        "a time with a full stop",
        &[r"-rw-r--r--   1 root     other        531 29 Jan 3.26 c"],
        &[r"type=file;size=531;modify=20250129032600; c"],
    ),
    (
        "German",
        &[r"-rw-r--r--   1 root     other        531 26. Juli, 20:10 a b"],
        &[r"type=file;size=531;modify=20240726201000; a b"],
    ),
    (
        "German",
        &[r"-rw-r--r--   1 root     other        531 2.   Okt.  2003 c"],
        &[r"type=file;size=531;modify=20031002000000; c"],
    ),
    (
        "German",
        &[r"-rw-r--r--   1 root     other        531 30. Jan., 12:40 d"],
        &[r"type=file;size=531;modify=20250130124000; d"],
    ),
    (
        "German",
        &[r"-rw-r--r--   1 root     other        531 Mär 12 2011 e"],
        &[r"type=file;size=531;modify=20110312000000; e"],
    ),
    (
        "German",
        &[r"-rw-r--r--   1 root     other        531 M\xe4r 12 2011 e"],
        &[r"type=file;size=531;modify=20110312000000; e"],
    ),
    (
        "German",
        &[r"-rw-r--r--   1 root     other        531 M\x84r 12 2011 e"],
        &[r"type=file;size=531;modify=20110312000000; e"],
    ),
    (
        "German",
        &[r"-rw-r--r--   1 root     other        531 12 Dez 2011 f"],
        &[r"type=file;size=531;modify=20111212000000; f"],
    ),
    (
        "Hungarian",
        &[r"-rw-r--r--   1 root     other        531 szept 16 20:10 a"],
        &[r"type=file;size=531;modify=20240916201000; a"],
    ),
    (
        "Hungarian",
        &[r"-rw-r--r--   1 root     other        531 ápr.   3  2001 b"],
        &[r"type=file;size=531;modify=20010403000000; b"],
    ),
    (
        "French",
        &[r"-rw-r--r--   1 root     other        531 4 févr. 2010 a"],
        &[r"type=file;size=531;modify=20100204000000; a"],
    ),
    (
        "French",
        &[r"-rw-r--r--   1 root     other        531 4 f\xe9vr 2010 b"],
        &[r"type=file;size=531;modify=20100204000000; b"],
    ),
    (
        "French",
        &[r"-rw-r--r--   1 root     other        531 14 juil. 09:00 c"],
        &[r"type=file;size=531;modify=20240714090000; c"],
    ),
    (
        "French",
        &[r"-rw-r--r--   1 root     other        531 2 ao\xfb 2009 d"],
        &[r"type=file;size=531;modify=20090802000000; d"],
    ),
    (
        "Spanish, Italian, Portuguese",
        &[r"-rw-r--r--   1 root     other        531 ene  6 2012 a"],
        &[r"type=file;size=531;modify=20120106000000; a"],
    ),
    (
        "Spanish, Italian, Portuguese",
        &[r"-rw-r--r--   1 root     other        531 30 dic 2012 b"],
        &[r"type=file;size=531;modify=20121230000000; b"],
    ),
    (
        "Spanish, Italian, Portuguese",
        &[r"-rw-r--r--   1 root     other        531 gen 31 11:00 c"],
        &[r"type=file;size=531;modify=20250131110000; c"],
    ),
    (
        "Spanish, Italian, Portuguese",
        &[r"-rw-r--r--   1 root     other        531 set  9 2014 d"],
        &[r"type=file;size=531;modify=20140909000000; d"],
    ),
    (
        "Spanish, Italian, Portuguese",
        &[r"-rw-r--r--   1 root     other        531 out  1 2015 e"],
        &[r"type=file;size=531;modify=20151001000000; e"],
    ),
    (
        "Dutch and the languages of the North",
        &[r"-rw-r--r--   1 root     other        531 mrt  8 2016 a"],
        &[r"type=file;size=531;modify=20160308000000; a"],
    ),
    (
        "Dutch and the languages of the North",
        &[r"-rw-r--r--   1 root     other        531 8 mei 2016 b"],
        &[r"type=file;size=531;modify=20160508000000; b"],
    ),
    (
        "Dutch and the languages of the North",
        &[r"-rw-r--r--   1 root     other        531 okt 17 2017 c"],
        &[r"type=file;size=531;modify=20171017000000; c"],
    ),
    (
        "Dutch and the languages of the North",
        &[r"-rw-r--r--   1 root     other        531 des 24 18:00 d"],
        &[r"type=file;size=531;modify=20241224180000; d"],
    ),
    (
        "Dutch and the languages of the North",
        &[r"-rw-r--r--   1 root     other        531 kesä  5 2018 e"],
        &[r"type=file;size=531;modify=20180605000000; e"],
    ),
    (
        "Dutch and the languages of the North",
        &[r"-rw-r--r--   1 root     other        531 heinä 6 2018 f"],
        &[r"type=file;size=531;modify=20180706000000; f"],
    ),
    (
        "Dutch and the languages of the North",
        &[r"-rw-r--r--   1 root     other        531 júl 7 2018 g"],
        &[r"type=file;size=531;modify=20180707000000; g"],
    ),
    (
        "Polish, Czech, Slovak",
        &[r"-rw-r--r--   1 root     other        531 paź  3 2019 a"],
        &[r"type=file;size=531;modify=20191003000000; a"],
    ),
    (
        "Polish, Czech, Slovak",
        &[r"-rw-r--r--   1 root     other        531 pa\xbc  3 2019 b"],
        &[r"type=file;size=531;modify=20191003000000; b"],
    ),
    (
        "Polish, Czech, Slovak",
        &[r"-rw-r--r--   1 root     other        531 pa\x9f  3 2019 c"],
        &[r"type=file;size=531;modify=20191003000000; c"],
    ),
    (
        "Polish, Czech, Slovak",
        &[r"-rw-r--r--   1 root     other        531 lis 11 2019 d"],
        &[r"type=file;size=531;modify=20191111000000; d"],
    ),
    (
        "Polish, Czech, Slovak",
        &[r"-rw-r--r--   1 root     other        531 bře 11 2019 e"],
        &[r"type=file;size=531;modify=20190311000000; e"],
    ),
    (
        "Polish, Czech, Slovak",
        &[r"-rw-r--r--   1 root     other        531 z\xe1\xf8 11 2019 f"],
        &[r"type=file;size=531;modify=20190911000000; f"],
    ),
    (
        "Polish, Czech, Slovak",
        &[r"-rw-r--r--   1 root     other        531 máj 1 2019 g"],
        &[r"type=file;size=531;modify=20190501000000; g"],
    ),
    (
        "Baltic languages, Romanian, Turkish, Greek",
        &[r"-rw-r--r--   1 root     other        531 rugp 4 2020 a"],
        &[r"type=file;size=531;modify=20200804000000; a"],
    ),
    (
        "Baltic languages, Romanian, Turkish, Greek",
        &[r"-rw-r--r--   1 root     other        531 jūn  4 2020 b"],
        &[r"type=file;size=531;modify=20200604000000; b"],
    ),
    (
        "Baltic languages, Romanian, Turkish, Greek",
        &[r"-rw-r--r--   1 root     other        531 märts 4 2020 c"],
        &[r"type=file;size=531;modify=20200304000000; c"],
    ),
    (
        "Baltic languages, Romanian, Turkish, Greek",
        &[r"-rw-r--r--   1 root     other        531 noi 30 2020 d"],
        &[r"type=file;size=531;modify=20201130000000; d"],
    ),
    (
        "Baltic languages, Romanian, Turkish, Greek",
        &[r"-rw-r--r--   1 root     other        531 Şub 28 2020 e"],
        &[r"type=file;size=531;modify=20200228000000; e"],
    ),
    (
        "Baltic languages, Romanian, Turkish, Greek",
        &[r"-rw-r--r--   1 root     other        531 \xdeub 28 2020 f"],
        &[r"type=file;size=531;modify=20200228000000; f"],
    ),
    (
        "Baltic languages, Romanian, Turkish, Greek",
        &[r"-rw-r--r--   1 root     other        531 Αύγ 15 2020 g"],
        &[r"type=file;size=531;modify=20200815000000; g"],
    ),
    (
        "Baltic languages, Romanian, Turkish, Greek",
        &[r"-rw-r--r--   1 root     other        531 \xc1\xfd\xe3 15 2020 h"],
        &[r"type=file;size=531;modify=20200815000000; h"],
    ),
    (
        "Russian",
        &[r"-rw-r--r--   1 root     other        531 янв 25 10:11 a"],
        &[r"type=file;size=531;modify=20250125101100; a"],
    ),
    (
        "Russian",
        &[r"-rw-r--r--   1 root     other        531 \xff\xed\xe2 25 10:11 cp1251"],
        &[r"type=file;size=531;modify=20250125101100; cp1251"],
    ),
    (
        "Russian",
        &[r"-rw-r--r--   1 root     other        531 \xd1\xce\xd7 25 10:11 koi8"],
        &[r"type=file;size=531;modify=20250125101100; koi8"],
    ),
    (
        "Russian",
        &[r"-rw-r--r--   1 root     other        531 \xef\xad\xa2 25 10:11 cp866"],
        &[r"type=file;size=531;modify=20250125101100; cp866"],
    ),
    (
        "Russian",
        &[r"-rw-r--r--   1 root     other        531 \xef\xdd\xd2 25 10:11 iso"],
        &[r"type=file;size=531;modify=20250125101100; iso"],
    ),
    (
        "Russian",
        &[r"-rw-r--r--   1 root     other        531 3 мая 2022 b"],
        &[r"type=file;size=531;modify=20220503000000; b"],
    ),
    (
        "Russian",
        &[r"-rw-r--r--   1 root     other        531 сентября 3 2022 c"],
        &[r"type=file;size=531;modify=20220903000000; c"],
    ),
    (
        "Chinese",
        &[r"-rw-r--r--   1 root     other        531 8月 17 08:52 a"],
        &[r"type=file;size=531;modify=20240817085200; a"],
    ),
    (
        "Chinese",
        &[r"-rw-r--r--   1 root     other        531 8月 17  2003 b"],
        &[r"type=file;size=531;modify=20030817000000; b"],
    ),
    (
        "Chinese",
        &[r"-rw-r--r--   1 root     other        531 十一月 17 2003 c"],
        &[r"type=file;size=531;modify=20031117000000; c"],
    ),
    (
        "Chinese",
        &[r"-rw-r--r--   1 root     other        531 8\xd4\xc2 17 08:52 gbk"],
        &[r"type=file;size=531;modify=20240817085200; gbk"],
    ),
    (
        "Chinese",
        &[r"-rw-r--r--   1 root     other        531 8\xa4\xeb 17\xa4\xe9 08:52 big5"],
        &[r"type=file;size=531;modify=20240817085200; big5"],
    ),
    (
        "Chinese",
        &[r"-rw-r--r--   1 root     other        531 \xca\xae\xd4\xc2 1 2003 gbk"],
        &[r"type=file;size=531;modify=20031001000000; gbk"],
    ),
    (
        "Chinese",
        &[r"-rw-r--r--   1 root     other        531 2003年5月6日 07:08 one word"],
        &[r"type=file;size=531;modify=20030506070800; one word"],
    ),
    (
        "Japanese",
        &[r"-rw-r--r--   1 root     other        531 4月 18日 2003年 a"],
        &[r"type=file;size=531;modify=20030418000000; a"],
    ),
    (
        "Japanese",
        &[r"-rw-r--r--   1 root     other        531 4\x8c\x8e 18\x93\xfa 2003\x94\x4e sjis"],
        &[r"type=file;size=531;modify=20030418000000; sjis"],
    ),
    (
        "Japanese",
        &[r"-rw-r--r--   1 root     other        531 4\xb7\xee 18\xc6\xfc 2003\xc7\xaf euc"],
        &[r"type=file;size=531;modify=20030418000000; euc"],
    ),
    (
        "Japanese",
        &[r"-rw-r--r--   1 root     other        531 8月 17日 20:10 b"],
        &[r"type=file;size=531;modify=20240817201000; b"],
    ),
    (
        "Korean",
        &[r"-rw-r--r--   1 root     other        531 2005년  1월  6일 a b"],
        &[r"type=file;size=531;modify=20050106000000; a b"],
    ),
    (
        "Korean",
        &[r"-rw-r--r--   1 root     other        531 2005\xb3\xe2  1\xbf\xf9  6\xc0\xcf euc"],
        &[r"type=file;size=531;modify=20050106000000; euc"],
    ),
    (
        "Korean",
        &[r"-rw-r--r--   1 root     other        531 1월  6 20:10 c"],
        &[r"type=file;size=531;modify=20250106201000; c"],
    ),
    (
        "Korean",
        &[r"-rw-r--r--   1 root     other        531 1월  6일 2005 d"],
        &[r"type=file;size=531;modify=20050106000000; d"],
    ),
    (
        "signs of an unknown encoding",
        &[r"-rw-r--r--   1 root     other        531 2003   3\xed\xef 20 a"],
        &[r"type=file;size=531;modify=20030320000000; a"],
    ),
    (
        "signs of an unknown encoding",
        &[r"-rw-r--r--   1 root     other        531 8\xed 17 08:52 b"],
        &[r"type=file;size=531;modify=20240817085200; b"],
    ),
    (
        "a month and its number",
        &[r"-rw-r--r--   1 root     other        531 Sep09 12 2011 a"],
        &[r"type=file;size=531;modify=20110912000000; a"],
    ),
    (
        "a month and its number",
        &[r"-rw-r--r--   1 root     other        531 sep8 12 2011 b"],
        &[r"type=file;size=531;modify=20110912000000; b"],
    ),
    (
        "Croatian months",
        &[r"-rw-r--r-- 1 a b 7 lip 3 2011 june", r"-rw-r--r-- 1 a b 7 svi 3 2011 may"],
        &[
            r"type=file;size=7;modify=20110603000000; june",
            r"type=file;size=7;modify=20110503000000; may",
        ],
    ),
    (
        "Polish months",
        &[r"-rw-r--r-- 1 a b 7 lip 3 2011 july", r"-rw-r--r-- 1 a b 7 maj 3 2011 may"],
        &[
            r"type=file;size=7;modify=20110703000000; july",
            r"type=file;size=7;modify=20110503000000; may",
        ],
    ),
    (
        "a recent date is in the past",
        &[
            r"-rw-r--r-- 1 a b 7 Mar  2 11:00 tomorrow, in another zone",
            r"-rw-r--r-- 1 a b 7 Mar  3 12:00 last year",
            r"-rw-r--r-- 1 a b 7 Feb 29 12:00 leap year",
        ],
        &[
            r"type=file;size=7;modify=20250302110000; tomorrow, in another zone",
            r"type=file;size=7;modify=20240303120000; last year",
            r"type=file;size=7;modify=20240229120000; leap year",
        ],
    ),
];
