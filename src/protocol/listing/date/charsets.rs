//! The encodings that servers use for the month names and dates of their languages.
//!
//! A listing does not declare its encoding. Only month names and date signs are decoded; file
//! names remain bytes. The tables contain the letters of [`super::months`] and the signs of East
//! Asian dates, and no others.

use std::sync::OnceLock;

/// The longest word that is decoded, in bytes; no month name is longer.
const LONGEST_WORD: usize = 40;

/// A single-byte encoding: the bytes from 128 on that are used, and their letters.
type SingleByte = (&'static [u8], &'static str);

/// A double-byte encoding.
type DoubleByte = &'static [([u8; 2], char)];

/// Returns the possible readings of a word in lower case: first as UTF-8, if the word is valid
/// UTF-8, then in every encoding that has a character for each of its bytes. A word in ASCII has
/// one reading, and a word that is too long for a month name has none.
pub(in super::super) fn readings(word: &[u8]) -> impl Iterator<Item = String> {
    let word = if word.len() > LONGEST_WORD { b"" } else { word };
    let unicode = std::str::from_utf8(word).ok().map(str::to_lowercase);
    let legacy = (!word.is_ascii()).then(|| {
        let single = single_byte_tables().iter().map(|table| decode_single(word, table));
        let double = DOUBLE_BYTE.iter().map(|table| decode_double(word, table));
        single.chain(double).flatten()
    });
    let readings = unicode.into_iter().chain(legacy.into_iter().flatten());
    readings.filter(|reading| !reading.is_empty())
}

fn decode_single(word: &[u8], table: &[char; 128]) -> Option<String> {
    let letter = |&byte: &u8| match byte {
        0..128 => Some(char::from(byte)),
        128.. => Some(table[usize::from(byte - 128)]).filter(|&letter| letter != '\0'),
    };
    let known = word.iter().all(|byte| letter(byte).is_some());
    known.then(|| word.iter().filter_map(letter).flat_map(char::to_lowercase).collect())
}

fn decode_double(mut word: &[u8], table: DoubleByte) -> Option<String> {
    let mut reading = String::new();
    while let Some((&first, rest)) = word.split_first() {
        if first.is_ascii() {
            reading.push(char::from(first.to_ascii_lowercase()));
            word = rest;
            continue;
        }
        let (pair, rest) = word.split_first_chunk::<2>()?;
        let (_, sign) = table.iter().find(|(bytes, _)| bytes == pair)?;
        reading.push(*sign);
        word = rest;
    }
    Some(reading)
}

/// Returns the letters of the bytes 128 to 255 in each encoding; NUL means that the byte is not
/// used.
fn single_byte_tables() -> &'static [[char; 128]] {
    static TABLES: OnceLock<Vec<[char; 128]>> = OnceLock::new();
    TABLES.get_or_init(|| {
        let table = |(bytes, letters): &SingleByte| {
            let mut table = ['\0'; 128];
            for (&byte, letter) in bytes.iter().zip(letters.chars()) {
                table[usize::from(byte & 127)] = letter;
            }
            table
        };
        SINGLE_BYTE.iter().map(table).collect()
    })
}

/// The order would matter if a word were the name of two different months in two encodings; a test
/// checks that no such word exists.
#[rustfmt::skip]
const SINGLE_BYTE: &[SingleByte] = &[
    // windows-1252
    (b"\x8a\x8e\x9a\x9e\xc1\xc4\xc7\xc9\xcb\xcd\xd1\xd3\xd6\xda\xdb\xdc\xe1\xe4\xe7\xe9\
      \xeb\xed\xf1\xf3\xf6\xfa\xfb\xfc",
      "ŠŽšžÁÄÇÉËÍÑÓÖÚÛÜáäçéëíñóöúûü"),
    // ISO 8859-15
    (b"\xa6\xa8\xb4\xb8\xc1\xc4\xc7\xc9\xcb\xcd\xd1\xd3\xd6\xda\xdb\xdc\xe1\xe4\xe7\xe9\
      \xeb\xed\xf1\xf3\xf6\xfa\xfb\xfc",
      "ŠšŽžÁÄÇÉËÍÑÓÖÚÛÜáäçéëíñóöúûü"),
    // windows-1250
    (b"\x8a\x8c\x8e\x8f\x9a\x9c\x9e\x9f\xaa\xba\xc1\xc4\xc7\xc8\xc9\xcb\xcc\xcd\xd1\xd3\
      \xd6\xd8\xda\xdc\xe1\xe4\xe7\xe8\xe9\xeb\xec\xed\xf1\xf3\xf6\xf8\xfa\xfc",
      "ŠŚŽŹšśžźŞşÁÄÇČÉËĚÍŃÓÖŘÚÜáäçčéëěíńóöřúü"),
    // ISO 8859-2
    (b"\xa6\xa9\xaa\xac\xae\xb6\xb9\xba\xbc\xbe\xc1\xc4\xc7\xc8\xc9\xcb\xcc\xcd\xd1\xd3\
      \xd6\xd8\xda\xdc\xe1\xe4\xe7\xe8\xe9\xeb\xec\xed\xf1\xf3\xf6\xf8\xfa\xfc",
      "ŚŠŞŹŽśšşźžÁÄÇČÉËĚÍŃÓÖŘÚÜáäçčéëěíńóöřúü"),
    // windows-1254
    (b"\x8a\x9a\xc1\xc4\xc7\xc9\xcb\xcd\xd0\xd1\xd3\xd6\xda\xdb\xdc\xde\xe1\xe4\xe7\xe9\
      \xeb\xed\xf0\xf1\xf3\xf6\xfa\xfb\xfc\xfd\xfe",
      "ŠšÁÄÇÉËÍĞÑÓÖÚÛÜŞáäçéëíğñóöúûüış"),
    // windows-1257
    (b"\xc2\xc4\xc8\xc9\xca\xcb\xce\xd0\xd1\xd3\xd6\xda\xdb\xdc\xde\xe2\xe4\xe8\xe9\xea\
      \xeb\xee\xf0\xf1\xf3\xf6\xfa\xfb\xfc\xfe",
      "ĀÄČÉŹĖĪŠŃÓÖŚŪÜŽāäčéźėīšńóöśūüž"),
    // ISO 8859-4
    (b"\xa9\xae\xb9\xbe\xc0\xc1\xc4\xc8\xc9\xcb\xcc\xcd\xcf\xd6\xda\xdb\xdc\xde\xe0\xe1\
      \xe4\xe8\xe9\xeb\xec\xed\xef\xf6\xfa\xfb\xfc\xfe",
      "ŠŽšžĀÁÄČÉËĖÍĪÖÚÛÜŪāáäčéëėíīöúûüū"),
    // ISO 8859-3
    (b"\xaa\xab\xb9\xba\xbb\xc1\xc4\xc5\xc7\xc9\xcb\xcd\xd1\xd3\xd5\xd6\xda\xdb\xdc\xe1\
      \xe4\xe5\xe7\xe9\xeb\xed\xf1\xf3\xf5\xf6\xfa\xfb\xfc",
      "ŞĞışğÁÄĊÇÉËÍÑÓĠÖÚÛÜáäċçéëíñóġöúûü"),
    // code page 850
    (b"\x80\x81\x82\x84\x87\x89\x8e\x90\x94\x96\x99\x9a\xa0\xa1\xa2\xa3\xa4\xa5\xb5\xd3\
      \xd5\xd6\xe0\xe9\xea",
      "ÇüéäçëÄÉöûÖÜáíóúñÑÁËıÍÓÚÛ"),
    // code page 852
    (b"\x80\x81\x82\x84\x87\x89\x8d\x8e\x90\x94\x97\x98\x99\x9a\x9f\xa0\xa1\xa2\xa3\xa6\
      \xa7\xab\xac\xad\xb5\xb7\xb8\xd3\xd6\xd8\xe0\xe3\xe4\xe6\xe7\xe9\xfc\xfd",
      "ÇüéäçëŹÄÉöŚśÖÜčáíóúŽžźČşÁĚŞËÍěÓŃńŠšÚŘř"),
    // code page 857
    (b"\x80\x81\x82\x84\x87\x89\x8d\x8e\x90\x94\x96\x99\x9a\x9e\x9f\xa0\xa1\xa2\xa3\xa4\
      \xa5\xa6\xa7\xb5\xd3\xd6\xe0\xe9\xea",
      "ÇüéäçëıÄÉöûÖÜŞşáíóúñÑĞğÁËÍÓÚÛ"),
    // code page 775
    (b"\x81\x82\x83\x84\x8c\x8d\x8e\x90\x94\x97\x98\x99\x9a\xa0\xa1\xa2\xa5\xb6\xb8\xbe\
      \xc7\xcf\xd1\xd3\xd5\xd7\xd8\xe0\xe3\xe7",
      "üéāäīŹÄÉöŚśÖÜĀĪóźČĖŠŪŽčėšūžÓŃń"),
    // Mac Roman
    (b"\x80\x82\x83\x84\x85\x86\x87\x8a\x8d\x8e\x91\x92\x96\x97\x9a\x9c\x9e\x9f\xb9\xbd\
      \xe7\xe8\xea\xee\xf2\xf3\xf5",
      "ÄÇÉÑÖÜáäçéëíñóöúûüπΩÁËÍÓÚÛı"),
    // windows-1251
    (b"\xa1\xa2\xa3\xb2\xb3\xbc\xc0\xc1\xc2\xc3\xc4\xc5\xc6\xc7\xc8\xc9\xca\xcb\xcc\xcd\
      \xce\xcf\xd0\xd1\xd2\xd3\xd4\xd6\xd7\xd9\xdb\xdc\xdd\xde\xdf\xe0\xe1\xe2\xe3\xe4\
      \xe5\xe6\xe7\xe8\xe9\xea\xeb\xec\xed\xee\xef\xf0\xf1\xf2\xf3\xf4\xf6\xf7\xf9\xfb\
      \xfc\xfd\xfe\xff",
      "ЎўЈІіјАБВГДЕЖЗИЙКЛМНОПРСТУФЦЧЩЫЬЭЮЯабвгдежзийклмнопрстуфцчщыьэюя"),
    // KOI8-U
    (b"\xa6\xb6\xc0\xc1\xc2\xc3\xc4\xc5\xc6\xc7\xc9\xca\xcb\xcc\xcd\xce\xcf\xd0\xd1\xd2\
      \xd3\xd4\xd5\xd6\xd7\xd8\xd9\xda\xdc\xdd\xde\xe0\xe1\xe2\xe3\xe4\xe5\xe6\xe7\xe9\
      \xea\xeb\xec\xed\xee\xef\xf0\xf1\xf2\xf3\xf4\xf5\xf6\xf7\xf8\xf9\xfa\xfc\xfd\xfe",
      "іІюабцдефгийклмнопярстужвьызэщчЮАБЦДЕФГИЙКЛМНОПЯРСТУЖВЬЫЗЭЩЧ"),
    // code page 866
    (b"\x80\x81\x82\x83\x84\x85\x86\x87\x88\x89\x8a\x8b\x8c\x8d\x8e\x8f\x90\x91\x92\x93\
      \x94\x96\x97\x99\x9b\x9c\x9d\x9e\x9f\xa0\xa1\xa2\xa3\xa4\xa5\xa6\xa7\xa8\xa9\xaa\
      \xab\xac\xad\xae\xaf\xe0\xe1\xe2\xe3\xe4\xe6\xe7\xe9\xeb\xec\xed\xee\xef\xf6\xf7",
      "АБВГДЕЖЗИЙКЛМНОПРСТУФЦЧЩЫЬЭЮЯабвгдежзийклмнопрстуфцчщыьэюяЎў"),
    // ISO 8859-5
    (b"\xa6\xa8\xae\xb0\xb1\xb2\xb3\xb4\xb5\xb6\xb7\xb8\xb9\xba\xbb\xbc\xbd\xbe\xbf\xc0\
      \xc1\xc2\xc3\xc4\xc6\xc7\xc9\xcb\xcc\xcd\xce\xcf\xd0\xd1\xd2\xd3\xd4\xd5\xd6\xd7\
      \xd8\xd9\xda\xdb\xdc\xdd\xde\xdf\xe0\xe1\xe2\xe3\xe4\xe6\xe7\xe9\xeb\xec\xed\xee\
      \xef\xf6\xf8\xfe",
      "ІЈЎАБВГДЕЖЗИЙКЛМНОПРСТУФЦЧЩЫЬЭЮЯабвгдежзийклмнопрстуфцчщыьэюяіјў"),
    // windows-1253
    (b"\xa2\xb8\xba\xbe\xc0\xc1\xc2\xc3\xc4\xc5\xc9\xca\xcb\xcc\xcd\xcf\xd0\xd1\xd3\xd4\
      \xd5\xd6\xd9\xda\xdc\xdd\xdf\xe1\xe2\xe3\xe4\xe5\xe9\xea\xeb\xec\xed\xef\xf0\xf1\
      \xf3\xf4\xf5\xf6\xf9\xfa\xfd",
      "ΆΈΊΎΐΑΒΓΔΕΙΚΛΜΝΟΠΡΣΤΥΦΩΪάέίαβγδεικλμνοπρστυφωϊύ"),
    // ISO 8859-7
    (b"\xb6\xb8\xba\xbe\xc0\xc1\xc2\xc3\xc4\xc5\xc9\xca\xcb\xcc\xcd\xcf\xd0\xd1\xd3\xd4\
      \xd5\xd6\xd9\xda\xdc\xdd\xdf\xe1\xe2\xe3\xe4\xe5\xe9\xea\xeb\xec\xed\xef\xf0\xf1\
      \xf3\xf4\xf5\xf6\xf9\xfa\xfd",
      "ΆΈΊΎΐΑΒΓΔΕΙΚΛΜΝΟΠΡΣΤΥΦΩΪάέίαβγδεικλμνοπρστυφωϊύ"),
    // code page 737
    (b"\x80\x81\x82\x83\x84\x88\x89\x8a\x8b\x8c\x8e\x8f\x90\x91\x92\x93\x94\x97\x98\x99\
      \x9a\x9b\x9c\xa0\xa1\xa2\xa3\xa4\xa6\xa7\xa8\xa9\xab\xac\xad\xe0\xe1\xe2\xe4\xe5\
      \xe7\xea\xeb\xed\xef\xf4",
      "ΑΒΓΔΕΙΚΛΜΝΟΠΡΣΤΥΦΩαβγδεικλμνοπρστυφωάέϊίύΆΈΊΎΪ"),
];

#[rustfmt::skip]
const DOUBLE_BYTE: &[DoubleByte] = &[
    // Shift JIS
    &[
        (*b"\x88\xea", '一'), (*b"\x8e\xb5", '七'), (*b"\x8e\x4f", '三'), (*b"\x8b\xe3", '九'),
        (*b"\x93\xf1", '二'), (*b"\x8c\xdc", '五'), (*b"\x94\xaa", '八'), (*b"\x98\x5a", '六'),
        (*b"\x8f\x5c", '十'), (*b"\x8d\x87", '合'), (*b"\x8e\x6c", '四'), (*b"\x94\x4e", '年'),
        (*b"\x93\xfa", '日'), (*b"\x8c\x8e", '月'), (*b"\x97\x70", '用'), (*b"\xe3\x60", '總'),
        (*b"\x8c\x76", '計'), (*b"\x97\xca", '量'),
    ],
    // EUC-JP
    &[
        (*b"\xb0\xec", '一'), (*b"\xbc\xb7", '七'), (*b"\xbb\xb0", '三'), (*b"\xb6\xe5", '九'),
        (*b"\xc6\xf3", '二'), (*b"\xb8\xde", '五'), (*b"\xc8\xac", '八'), (*b"\xcf\xbb", '六'),
        (*b"\xbd\xbd", '十'), (*b"\xb9\xe7", '合'), (*b"\xbb\xcd", '四'), (*b"\xc7\xaf", '年'),
        (*b"\xc6\xfc", '日'), (*b"\xb7\xee", '月'), (*b"\xcd\xd1", '用'), (*b"\xe5\xc1", '總'),
        (*b"\xb7\xd7", '計'), (*b"\xce\xcc", '量'),
    ],
    // GBK
    &[
        (*b"\xd2\xbb", '一'), (*b"\xc6\xdf", '七'), (*b"\xc8\xfd", '三'), (*b"\xbe\xc5", '九'),
        (*b"\xb6\xfe", '二'), (*b"\xce\xe5", '五'), (*b"\xb0\xcb", '八'), (*b"\xc1\xf9", '六'),
        (*b"\xca\xae", '十'), (*b"\xba\xcf", '合'), (*b"\xcb\xc4", '四'), (*b"\xc4\xea", '年'),
        (*b"\xd7\xdc", '总'), (*b"\xc8\xd5", '日'), (*b"\xd4\xc2", '月'), (*b"\xd3\xc3", '用'),
        (*b"\xbf\x82", '總'), (*b"\xd3\x8b", '計'), (*b"\xbc\xc6", '计'), (*b"\xc1\xbf", '量'),
    ],
    // Big5
    &[
        (*b"\xa4\x40", '一'), (*b"\xa4\x43", '七'), (*b"\xa4\x54", '三'), (*b"\xa4\x45", '九'),
        (*b"\xa4\x47", '二'), (*b"\xa4\xad", '五'), (*b"\xa4\x4b", '八'), (*b"\xa4\xbb", '六'),
        (*b"\xa4\x51", '十'), (*b"\xa6\x58", '合'), (*b"\xa5\x7c", '四'), (*b"\xa6\x7e", '年'),
        (*b"\xa4\xe9", '日'), (*b"\xa4\xeb", '月'), (*b"\xa5\xce", '用'), (*b"\xc1\x60", '總'),
        (*b"\xad\x70", '計'), (*b"\xb6\x71", '量'),
    ],
    // EUC-KR
    &[
        (*b"\xec\xe9", '一'), (*b"\xf6\xd2", '七'), (*b"\xdf\xb2", '三'), (*b"\xce\xfa", '九'),
        (*b"\xec\xa3", '二'), (*b"\xe7\xe9", '五'), (*b"\xf8\xa2", '八'), (*b"\xd7\xbf", '六'),
        (*b"\xe4\xa8", '十'), (*b"\xf9\xea", '合'), (*b"\xde\xcc", '四'), (*b"\xd2\xb4", '年'),
        (*b"\xec\xed", '日'), (*b"\xea\xc5", '月'), (*b"\xe9\xc4", '用'), (*b"\xf5\xc5", '總'),
        (*b"\xcd\xaa", '計'), (*b"\xd5\xe1", '量'), (*b"\xb0\xe8", '계'), (*b"\xb3\xe2", '년'),
        (*b"\xbf\xf9", '월'), (*b"\xc0\xcf", '일'), (*b"\xc3\xd1", '총'), (*b"\xc7\xd5", '합'),
    ],
];

/// Returns a text in UTF-8 and in every encoding that has all of its characters.
#[cfg(test)]
pub(super) fn encodings(text: &str) -> Vec<Vec<u8>> {
    let single = single_byte_tables().iter().map(|table| {
        let byte = |letter: char| match letter {
            '\0'..'\u{80}' => Some(letter as u8),
            _ => table.iter().position(|&known| known == letter).map(|place| place as u8 | 128),
        };
        text.chars().map(byte).collect::<Option<Vec<u8>>>()
    });
    let double = DOUBLE_BYTE.iter().map(|table| {
        let bytes = |sign: char| match sign.is_ascii() {
            true => Some(vec![sign as u8]),
            false => table.iter().find(|(_, known)| *known == sign).map(|(pair, _)| pair.to_vec()),
        };
        text.chars().map(bytes).collect::<Option<Vec<_>>>().map(|signs| signs.concat())
    });
    let unicode = Some(text.as_bytes().to_vec());
    std::iter::once(unicode).chain(single.chain(double)).flatten().collect()
}
