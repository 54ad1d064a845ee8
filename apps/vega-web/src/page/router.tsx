// Which address shows which page.

import {
  createRootRoute,
  createRoute,
  createRouter,
  type RouterHistory,
} from "@tanstack/react-router";
import { AuditPage } from "../audit/AuditPage";
import { searchOf } from "../audit/search";
import { DashboardPage } from "../dashboard/DashboardPage";
import { EnterPage } from "../entry/EnterPage";
import { SystemPage } from "../system/SystemPage";
import { Broken } from "./Broken";
import { Frame, SignedIn } from "./Frame";

/** `code` is that of the one-time link by which the console was opened, if it was. */
export function makeRouter(code: string | null, history?: RouterHistory) {
  const root = createRootRoute({
    component: Frame,
    notFoundComponent: () => <p>There is no such page. The dashboard is at /.</p>,
  });
  const signedIn = createRoute({
    getParentRoute: () => root,
    id: "signed-in",
    component: SignedIn,
  });
  const dashboard = createRoute({
    getParentRoute: () => signedIn,
    path: "/",
    component: DashboardPage,
  });
  const audit = createRoute({
    getParentRoute: () => signedIn,
    path: "/audit",
    validateSearch: searchOf,
    component: function Audit() {
      const navigate = audit.useNavigate();
      return (
        <AuditPage
          // The router passes on what it was not told of: once more, only what fits.
          search={searchOf({ ...audit.useSearch() })}
          onSearch={(search) => void navigate({ search, replace: true })}
        />
      );
    },
  });
  const system = createRoute({
    getParentRoute: () => signedIn,
    path: "/system",
    component: SystemPage,
  });
  const enter = createRoute({
    getParentRoute: () => root,
    path: "/enter",
    component: function Enter() {
      const navigate = enter.useNavigate();
      return <EnterPage code={code} onOpen={() => void navigate({ to: "/", replace: true })} />;
    },
  });
  return createRouter({
    routeTree: root.addChildren([signedIn.addChildren([dashboard, audit, system]), enter]),
    defaultErrorComponent: Broken,
    ...(history && { history }),
  });
}

declare module "@tanstack/react-router" {
  interface Register {
    router: ReturnType<typeof makeRouter>;
  }
}
