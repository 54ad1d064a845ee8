// The theme's variables as Mantine would put them into the page, as text.

import {
  convertCssVariables,
  DEFAULT_THEME,
  defaultCssVariablesResolver,
  mergeMantineTheme,
} from "@mantine/core";
import { theme } from "../src/theme/theme";

export function styleSheet(): string {
  const variables = defaultCssVariablesResolver(mergeMantineTheme(DEFAULT_THEME, theme));
  return convertCssVariables(variables, ":root").replaceAll(";", ";\n").replaceAll("{", "{\n");
}
