// The console with everything that it stands on: the theme, the query cache, the routes.

import { MantineProvider } from "@mantine/core";
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { RouterProvider } from "@tanstack/react-router";
import type { makeRouter } from "./page/router";
import { theme } from "./theme/theme";

interface Props {
  router: ReturnType<typeof makeRouter>;
  queries: QueryClient;
}

export function App({ router, queries }: Props) {
  return (
    // Variables and classes come from style sheets of our own: the page may not add any.
    <MantineProvider
      theme={theme}
      defaultColorScheme="auto"
      withCssVariables={false}
      withGlobalClasses={false}
    >
      <QueryClientProvider client={queries}>
        <RouterProvider router={router} />
      </QueryClientProvider>
    </MantineProvider>
  );
}

/** Nothing is asked for twice by itself: the stream says what is new. */
export function makeQueries(): QueryClient {
  return new QueryClient({
    defaultOptions: {
      queries: { retry: false, refetchOnWindowFocus: false, networkMode: "always" },
    },
  });
}
