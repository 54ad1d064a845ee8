// Whether this browser may notify the human.

export function permission(): NotificationPermission {
  return "Notification" in globalThis ? Notification.permission : "denied";
}
