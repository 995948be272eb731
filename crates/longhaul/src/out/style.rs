//! Colours: the sixteen of the terminal, so that its owner's theme decides how they look; none if the user
//! wants none.

use std::io::IsTerminal;

use anstyle::{AnsiColor, Style};
use clap::ValueEnum;

/// Choice of colours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum ColorChoice {
    /// On a terminal, unless NO_COLOR is set
    #[default]
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// Styles by meaning; all plain when colours are off. Write `{style}text{style:#}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Palette {
    on: bool,
}

impl Palette {
    /// Chooses the palette for a stream.
    pub(crate) fn choose(choice: ColorChoice, no_color: bool, stream: &impl IsTerminal) -> Self {
        let on = match choice {
            ColorChoice::Always => true,
            ColorChoice::Never => false,
            ColorChoice::Auto => !no_color && stream.is_terminal(),
        };
        Palette { on }
    }

    /// Returns true if there are colours.
    pub(crate) fn is_on(self) -> bool {
        self.on
    }

    /// Returns the palette without colours.
    pub(crate) fn plain() -> Self {
        Palette { on: false }
    }

    fn color(self, color: AnsiColor) -> Style {
        if self.on { Style::new().fg_color(Some(color.into())) } else { Style::new() }
    }

    /// Went well.
    pub(crate) fn good(self) -> Style {
        self.color(AnsiColor::Green)
    }

    /// Went wrong.
    pub(crate) fn bad(self) -> Style {
        if self.on { self.color(AnsiColor::Red).bold() } else { Style::new() }
    }

    /// Look here.
    pub(crate) fn warn(self) -> Style {
        self.color(AnsiColor::Yellow)
    }

    /// Going on.
    pub(crate) fn busy(self) -> Style {
        self.color(AnsiColor::Cyan)
    }

    /// Less important.
    pub(crate) fn dim(self) -> Style {
        if self.on { Style::new().dimmed() } else { Style::new() }
    }

    /// More important.
    pub(crate) fn strong(self) -> Style {
        if self.on { Style::new().bold() } else { Style::new() }
    }
}
