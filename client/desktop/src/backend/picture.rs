//! QR codes: drawn as modules, and found in pictures that people drop or choose.

use std::{
    fs::{self, File},
    io::Read as _,
    sync::Arc,
};

use image::{DynamicImage, ImageReader, Limits};
use qrcodegen::{QrCode, QrCodeEcc};

use crate::{action::PictureSource, view::QrImage};

/// More than any photograph of a code needs.
const FILE_BYTES_MAX: u64 = 32 << 20;
/// Pixels a side that are decoded at most.
const SIDE_MAX: u32 = 12_000;
/// Memory that decoding may take.
const DECODE_BYTES_MAX: u64 = 256 << 20;
/// A larger picture is made smaller before it is searched: a code fills a good part of it.
const SEARCH_SIDE: u32 = 1_600;
/// A smaller one is made larger: a code has few pixels a module there.
const SMALL_SIDE: u32 = 400;

/// Why no code was read from a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum PictureError {
    /// The file cannot be read, or is too large.
    #[error("This file could not be opened as a picture of up to 32 MB.")]
    File,
    /// No picture of a kind that is known.
    #[error("This is no PNG, JPEG or WebP picture.")]
    Format,
    /// There is no code in it that can be read.
    #[error("No QR code could be read in this picture. Try a sharper one that shows the whole code.")]
    NoCode,
}

/// A text as a code; none if it is too long for one.
#[must_use]
pub fn code(text: &str) -> Option<QrImage> {
    let code = QrCode::encode_text(text, QrCodeEcc::Medium).ok()?;
    let side = code.size();
    let dark = (0..side).flat_map(|y| (0..side).map(move |x| (x, y))).map(|(x, y)| code.get_module(x, y)).collect();
    Some(QrImage { size: usize::try_from(side).ok()?, dark: Arc::new(dark) })
}

/// The text of a code in a picture. Blocks for a moment, and takes a bounded amount of memory.
///
/// # Errors
/// [`PictureError`].
pub(super) fn read(source: &PictureSource) -> Result<String, PictureError> {
    let picture = match source {
        PictureSource::File(path) => {
            // Opening a pipe waits for someone to write into it.
            if !fs::metadata(path).is_ok_and(|found| found.is_file() && found.len() <= FILE_BYTES_MAX) {
                return Err(PictureError::File);
            }
            let file = File::open(path).map_err(|_| PictureError::File)?;
            let mut bytes = Vec::new();
            file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(|_| PictureError::File)?;
            decode(&bytes)?
        }
        PictureSource::Bytes(bytes) => decode(bytes)?,
    };
    find(&picture).ok_or(PictureError::NoCode)
}

fn decode(bytes: &[u8]) -> Result<DynamicImage, PictureError> {
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(PictureError::File);
    }
    let mut reader =
        ImageReader::new(std::io::Cursor::new(bytes)).with_guessed_format().map_err(|_| PictureError::Format)?;
    let mut limits = Limits::default();
    limits.max_image_width = Some(SIDE_MAX);
    limits.max_image_height = Some(SIDE_MAX);
    limits.max_alloc = Some(DECODE_BYTES_MAX);
    reader.limits(limits);
    reader.decode().map_err(|_| PictureError::Format)
}

fn find(picture: &DynamicImage) -> Option<String> {
    let side = picture.width().max(picture.height());
    let fitting = if side > SEARCH_SIDE {
        picture.thumbnail(SEARCH_SIDE, SEARCH_SIDE)
    } else if side < SMALL_SIDE {
        picture.resize(SMALL_SIDE * 2, SMALL_SIDE * 2, image::imageops::FilterType::Nearest)
    } else {
        picture.clone()
    };
    // Codes light on dark are drawn by dark themes of others.
    decode_grid(&fitting).or_else(|| {
        let mut inverted = fitting;
        inverted.invert();
        decode_grid(&inverted)
    })
}

fn decode_grid(picture: &DynamicImage) -> Option<String> {
    let mut prepared = rqrr::PreparedImage::prepare(picture.to_luma8());
    prepared.detect_grids().into_iter().find_map(|grid| grid.decode().ok().map(|(_, text)| text))
}

#[cfg(test)]
mod tests {
    use image::{GrayImage, ImageFormat, Luma};

    use super::*;

    const TEXT: &str = "https://relay.example:443/i#abcdefghijklmnopqrstuvwxyz0123456789";

    /// A PNG of a code with its quiet zone, so many pixels a module.
    fn png(scale: u32, dark: u8, light: u8) -> Arc<[u8]> {
        let code = code(TEXT).unwrap();
        let side = u32::try_from(code.size).unwrap() + 8;
        let picture = GrayImage::from_fn(side * scale, side * scale, |x, y| {
            let module = |pixel: u32| (pixel / scale).checked_sub(4).filter(|module| *module < side - 8);
            let is_dark = module(x).zip(module(y)).is_some_and(|(x, y)| code.dark[y as usize * code.size + x as usize]);
            Luma([if is_dark { dark } else { light }])
        });
        let mut bytes = Vec::new();
        picture.write_to(&mut std::io::Cursor::new(&mut bytes), ImageFormat::Png).unwrap();
        bytes.into()
    }

    #[test]
    fn a_code_is_read_small_large_and_inverted() {
        for (scale, dark, light) in [(3, 0, 255), (12, 30, 220), (60, 0, 255), (6, 255, 0)] {
            assert_eq!(read(&PictureSource::Bytes(png(scale, dark, light))).as_deref(), Ok(TEXT), "{scale}");
        }
    }

    #[test]
    fn what_is_no_picture_of_a_code_is_told_apart() {
        let bytes = |bytes: &[u8]| PictureSource::Bytes(bytes.into());
        assert_eq!(read(&bytes(b"hello")), Err(PictureError::Format));
        assert_eq!(read(&PictureSource::File("/nowhere".into())), Err(PictureError::File));
        // Nothing is read from what is no file: it may have no end, or keep whoever reads.
        assert_eq!(read(&PictureSource::File("/dev/zero".into())), Err(PictureError::File));
        assert_eq!(read(&PictureSource::Bytes(png(1, 200, 200))), Err(PictureError::NoCode));
    }
}
