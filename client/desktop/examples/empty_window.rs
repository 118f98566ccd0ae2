//! A window of the same kind with nothing in it: what the toolkit alone costs, for `tools/measure-desktop`.

use eframe::egui::{Ui, ViewportBuilder};

struct Empty;

impl eframe::App for Empty {
    fn ui(&mut self, _ui: &mut Ui, _frame: &mut eframe::Frame) {}
}

fn main() -> eframe::Result {
    let viewport = ViewportBuilder::default().with_title("Sotto").with_inner_size([1120.0, 760.0]);
    let options = eframe::NativeOptions { viewport, ..eframe::NativeOptions::default() };
    eframe::run_native("Sotto", options, Box::new(|_| Ok(Box::new(Empty))))
}
