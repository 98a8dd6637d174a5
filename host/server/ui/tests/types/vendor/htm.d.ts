declare const htm: {
  bind<T>(create: (type: any, props: any, ...children: any[]) => T): (parts: TemplateStringsArray, ...values: unknown[]) => T;
};
export default htm;
