// Whether this browser may notify the human, and how it does.

export function permission(): NotificationPermission {
  if (!("Notification" in globalThis)) return "denied";
  const given = Notification.permission;
  return given === "default" && !canBeMade() ? "denied" : given;
}

/** Tells the human, where that works. */
export function notify(title: string, options: NotificationOptions) {
  if (permission() !== "granted") return;
  try {
    new Notification(title, options);
  } catch {
    // The title of the tab and the page say it too.
  }
}

/** Chrome on Android asks for the permission, and then lets no page make one. Without the permission none is shown. */
function canBeMade(): boolean {
  try {
    new Notification("Vega");
    return true;
  } catch {
    return false;
  }
}
