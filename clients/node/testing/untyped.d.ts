// Packages without types of their own, as `any`.
declare module "upstox-js-sdk";
declare module "ws";
