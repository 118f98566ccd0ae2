//! What the built-in faces lack: colour emoji, Chinese, Japanese, Korean, Arabic, Hebrew and others come from the system's
//! fonts. A file is read when the first character that needs it is drawn, so that who never needs it pays nothing.

use std::{
    env, fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use egui::{
    Context, FontData,
    epaint::text::{FallbackRequest, FontInsert, FontProvider},
};

/// Lets `ctx` look for missing characters among the system's fonts. Tests do not: their pictures are the same everywhere.
pub fn use_system_fonts(ctx: &Context) {
    for script in SCRIPTS {
        ctx.add_font_provider(Arc::new(SystemFont(script)));
    }
}

/// Characters that want a face of their own, and the files that have one, the best first.
struct Script {
    holds: fn(char) -> bool,
    files: &'static [&'static str],
}

struct SystemFont(&'static Script);

impl FontProvider for SystemFont {
    fn font_for(&self, request: &FallbackRequest<'_>) -> Option<FontInsert> {
        let wanted = request.cluster.chars().next()?;
        if !(self.0.holds)(wanted) {
            return None;
        }
        let path = find(&folders(), self.0.files)?;
        let name = path.file_name()?.to_string_lossy().into_owned();
        // A file that went away meanwhile leaves a box where the character would be.
        let data = FontData::from_owned(fs::read(path).ok()?);
        Some(FontInsert::new(&name, data, Vec::new()))
    }
}

/// The first of `names` that is in one of `folders` or below.
fn find(folders: &[PathBuf], names: &[&str]) -> Option<PathBuf> {
    let mut files = Vec::new();
    for folder in folders {
        collect(folder, DEPTH_MAX, &mut files);
    }
    names.iter().find_map(|name| files.iter().find(|file| file.file_name().is_some_and(|file| file == *name)).cloned())
}

fn collect(folder: &Path, depth: usize, files: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let path = entry.path();
        if path.is_dir() && depth > 0 {
            collect(&path, depth - 1, files);
        } else if path.is_file() {
            files.push(path);
        }
    }
}

/// Where systems keep fonts; those of other systems do not exist here and cost nothing.
fn folders() -> Vec<PathBuf> {
    let fixed =
        ["/usr/share/fonts", "/usr/local/share/fonts", "/System/Library/Fonts", "/Library/Fonts", "C:\\Windows\\Fonts"];
    let own = env::home_dir().map(|home| home.join(".local/share/fonts"));
    fixed.into_iter().map(PathBuf::from).chain(own).collect()
}

fn emoji(wanted: char) -> bool {
    matches!(wanted, '\u{1f000}'..='\u{1faff}' | '\u{2190}'..='\u{2bff}' | '\u{203c}' | '\u{2049}' | '\u{20e3}' | '\u{3030}')
}

fn japanese(wanted: char) -> bool {
    matches!(wanted, '\u{3040}'..='\u{30ff}' | '\u{31f0}'..='\u{31ff}')
}

fn korean(wanted: char) -> bool {
    matches!(wanted, '\u{1100}'..='\u{11ff}' | '\u{3130}'..='\u{318f}' | '\u{ac00}'..='\u{d7ff}')
}

fn chinese(wanted: char) -> bool {
    matches!(wanted, '\u{2e80}'..='\u{303f}' | '\u{3100}'..='\u{312f}' | '\u{3400}'..='\u{9fff}' | '\u{f900}'..='\u{faff}'
        | '\u{ff00}'..='\u{ffef}' | '\u{20000}'..='\u{3ffff}')
}

fn arabic(wanted: char) -> bool {
    matches!(wanted, '\u{600}'..='\u{6ff}' | '\u{750}'..='\u{77f}' | '\u{8a0}'..='\u{8ff}' | '\u{fb50}'..='\u{fdff}' | '\u{fe70}'..='\u{feff}')
}

fn hebrew(wanted: char) -> bool {
    matches!(wanted, '\u{590}'..='\u{5ff}' | '\u{fb1d}'..='\u{fb4f}')
}

fn devanagari(wanted: char) -> bool {
    matches!(wanted, '\u{900}'..='\u{97f}')
}

fn thai(wanted: char) -> bool {
    matches!(wanted, '\u{e00}'..='\u{e7f}')
}

const SCRIPTS: &[Script] = &[
    Script { holds: emoji, files: &["NotoColorEmoji.ttf", "Noto-COLRv1.ttf", "Apple Color Emoji.ttc", "seguiemj.ttf"] },
    Script {
        holds: japanese,
        files: &[
            "NotoSansCJK-Regular.ttc",
            "NotoSansJP-Regular.otf",
            "DroidSansFallbackFull.ttf",
            "Hiragino Sans GB.ttc",
            "YuGothM.ttc",
        ],
    },
    Script {
        holds: korean,
        files: &[
            "NotoSansCJK-Regular.ttc",
            "NotoSansKR-Regular.otf",
            "NanumGothic.ttf",
            "AppleSDGothicNeo.ttc",
            "malgun.ttf",
        ],
    },
    Script {
        holds: chinese,
        files: &[
            "NotoSansCJK-Regular.ttc",
            "NotoSansSC-Regular.otf",
            "wqy-microhei.ttc",
            "wqy-zenhei.ttc",
            "DroidSansFallbackFull.ttf",
            "PingFang.ttc",
            "msyh.ttc",
        ],
    },
    Script {
        holds: arabic,
        files: &[
            "NotoSansArabic-Regular.ttf",
            "NotoNaskhArabic-Regular.ttf",
            "DejaVuSans.ttf",
            "GeezaPro.ttc",
            "segoeui.ttf",
        ],
    },
    Script { holds: hebrew, files: &["NotoSansHebrew-Regular.ttf", "DejaVuSans.ttf", "ArialHB.ttc", "segoeui.ttf"] },
    Script {
        holds: devanagari,
        files: &[
            "NotoSansDevanagari-Regular.ttf",
            "Lohit-Devanagari.ttf",
            "Kohinoor.ttc",
            "Nirmala.ttc",
            "Nirmala.ttf",
        ],
    },
    Script { holds: thai, files: &["NotoSansThai-Regular.ttf", "Loma.otf", "Thonburi.ttc", "leelawui.ttf"] },
    Script {
        holds: |_| true,
        files: &["DejaVuSans.ttf", "NotoSans-Regular.ttf", "FreeSans.ttf", "Arial Unicode.ttf", "seguisym.ttf"],
    },
];

/// Font folders are shallow; what is linked into itself must end.
const DEPTH_MAX: usize = 6;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_file_wins_wherever_it_lies() {
        let folder = tempfile::tempdir().expect("a folder");
        let deep = folder.path().join("truetype/noto");
        fs::create_dir_all(&deep).expect("folders");
        for path in [deep.join("best.ttf"), folder.path().join("second.ttf")] {
            fs::write(path, b"face").expect("a file");
        }
        let folders = [folder.path().to_owned(), folder.path().join("missing")];
        assert_eq!(find(&folders, &["none.ttf", "best.ttf", "second.ttf"]), Some(deep.join("best.ttf")));
        assert_eq!(find(&folders, &["none.ttf"]), None);
    }

    #[test]
    fn each_character_asks_the_face_that_draws_it_best_first() {
        let first = |wanted: char| SCRIPTS.iter().position(|script| (script.holds)(wanted));
        let samples = ['🌊', 'あ', '한', '水', 'س', 'ש', 'ह', 'ก', 'Ⴀ'];
        assert_eq!(samples.map(first), [0, 1, 2, 3, 4, 5, 6, 7, 8].map(Some));
    }
}
