// How Mantine looks here: shades that keep contrast in both colour schemes, and the machine's own fonts.

import { createTheme } from "@mantine/core";

export const theme = createTheme({
  primaryColor: "indigo",
  primaryShade: { light: 8, dark: 8 },
  autoContrast: true,
  fontFamily: "system-ui, sans-serif",
  fontFamilyMonospace: "ui-monospace, monospace",
  respectReducedMotion: true,
});
