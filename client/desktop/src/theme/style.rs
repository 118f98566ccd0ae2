//! egui's own style from the tokens, so that what we do not draw ourselves (text fields, menus, tooltips, scroll bars)
//! looks like what we do.

use egui::{
    Context, CornerRadius, Margin, Shadow, Stroke, Style, TextStyle, Visuals,
    style::{ScrollAnimation, ScrollStyle, WidgetVisuals},
};

use super::{Theme, fonts, mono, regular, semibold};

/// Makes everything drawn with `ctx` follow `theme`. Cheap enough for each change of theme, not for each frame.
pub fn install(ctx: &Context, theme: &Theme, reduced_motion: bool) {
    fonts::install(ctx);
    let style = std::sync::Arc::new(style(theme, reduced_motion));
    // Both, because which of its two themes egui thinks is on depends on the window system.
    ctx.set_style_of(egui::Theme::Light, style.clone());
    ctx.set_style_of(egui::Theme::Dark, style);
}

fn style(theme: &Theme, reduced_motion: bool) -> Style {
    let sizes = &theme.sizes;
    let mut style = Style {
        text_styles: [
            (TextStyle::Heading, semibold(sizes.heading)),
            (TextStyle::Body, regular(sizes.body)),
            (TextStyle::Button, regular(sizes.body)),
            (TextStyle::Small, regular(sizes.caption)),
            (TextStyle::Monospace, mono(sizes.small)),
        ]
        .into(),
        visuals: visuals(theme),
        animation_time: if reduced_motion { 0.0 } else { FADE_SECS },
        scroll_animation: if reduced_motion { ScrollAnimation::none() } else { ScrollAnimation::duration(FADE_SECS) },
        ..Style::default()
    };
    style.interaction.selectable_labels = false;
    style.interaction.tooltip_delay = TOOLTIP_SECS;
    let spacing = &mut style.spacing;
    spacing.item_spacing = egui::vec2(sizes.space[1], sizes.space[1]);
    spacing.button_padding = egui::vec2(sizes.space[2], sizes.space[1]);
    spacing.interact_size.y = sizes.hit;
    spacing.menu_margin = Margin::same(6);
    spacing.scroll = ScrollStyle { bar_width: 8.0, floating_width: 4.0, ..ScrollStyle::floating() };
    style
}

fn visuals(theme: &Theme) -> Visuals {
    let colors = &theme.colors;
    let mut visuals = if theme.dark { Visuals::dark() } else { Visuals::light() };
    let widget = |fill, text| WidgetVisuals {
        bg_fill: fill,
        weak_bg_fill: fill,
        bg_stroke: Stroke::NONE,
        corner_radius: CornerRadius::same(8),
        fg_stroke: Stroke::new(1.0, text),
        expansion: 0.0,
    };
    visuals.widgets.noninteractive =
        WidgetVisuals { bg_stroke: Stroke::new(1.0, colors.border), ..widget(colors.background, colors.text) };
    visuals.widgets.inactive = widget(colors.quiet_button, colors.text);
    visuals.widgets.hovered = widget(colors.hover, colors.text);
    visuals.widgets.active = widget(colors.selected, colors.text);
    visuals.widgets.open = widget(colors.hover, colors.text);
    visuals.weak_text_color = Some(colors.dim);
    visuals.selection.bg_fill = colors.selected;
    visuals.selection.stroke = Stroke::new(theme.sizes.ring, colors.focus);
    visuals.hyperlink_color = colors.accent;
    visuals.faint_bg_color = colors.sidebar;
    visuals.extreme_bg_color = colors.field;
    visuals.text_edit_bg_color = Some(colors.field);
    visuals.code_bg_color = colors.field;
    visuals.warn_fg_color = colors.warning_text;
    visuals.error_fg_color = colors.danger;
    visuals.panel_fill = colors.background;
    visuals.window_fill = colors.background;
    visuals.window_stroke = Stroke::new(1.0, colors.border);
    visuals.window_corner_radius = CornerRadius::same(12);
    visuals.menu_corner_radius = CornerRadius::same(12);
    let shadow = Shadow { offset: [0, 4], blur: 20, spread: 0, color: colors.scrim.gamma_multiply(0.4) };
    visuals.window_shadow = shadow;
    visuals.popup_shadow = shadow;
    visuals.text_cursor.stroke = Stroke::new(1.5, colors.accent);
    // A cursor that blinks would draw the window twice a second for nobody.
    visuals.text_cursor.blink = false;
    visuals
}

/// How long a fade takes.
const FADE_SECS: f32 = 0.12;
/// How long the pointer rests before a name is told.
const TOOLTIP_SECS: f32 = 0.4;
