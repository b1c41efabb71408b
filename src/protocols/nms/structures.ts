/**
 * The data types of the RESTful Network API for Network Message Storage (OMA REST_NetAPI_NMS 1.0 §5.3) and of those that
 * it shares (REST_NetAPI_Common). One table for JSON and XML: the order of the fields is the sequence of the schema.
 */

/** `1` once, `?` once or not at all, `*` any number of times, `+` at least once, `@` an attribute in XML. */
export type Occurs = '1' | '?' | '*' | '+' | '@'

export const enumerations = {
  SearchTypeEnum: [
    'Date',
    'Attribute',
    'AllTextAttributes',
    'Flag',
    'WholeWord',
    'VanishedObjects',
    'CreatedObjects',
    'PresetSearch',
  ],
  LogicalOperatorEnum: ['And', 'Or', 'Not'],
  SortTypeEnum: ['Date', 'Attribute'],
  SortOrderEnum: ['Ascending', 'Descending'],
  NotificationFormat: ['XML', 'JSON'],
  /** Of bulkUpdate, which stores that are in use have beside what is specified. */
  BulkOperationEnum: ['AddFlag', 'RemoveFlag'],
  /** Of REST_NetAPI_NotificationChannel. */
  ChannelType: ['LongPolling'],
} as const

const fault = { messageId: ['1', 'string'], text: ['1', 'string'], variables: ['*', 'string'] } as const
const deleted = { resourceURL: ['1', 'anyURI'], lastModSeq: ['?', 'unsignedLong'] } as const
const correlation = { correlationId: ['?', 'string'], correlationTag: ['?', 'string'] } as const

export const structures = {
  ObjectList: { object: ['*', 'Object'], cursor: ['?', 'string'], creationCursor: ['?', 'string'] },
  Object: {
    parentFolder: ['?', 'anyURI'],
    parentFolderPath: ['?', 'string'],
    attributes: ['1', 'AttributeList'],
    flags: ['1', 'FlagList'],
    resourceURL: ['?', 'anyURI'],
    path: ['?', 'string'],
    payloadURL: ['?', 'anyURI'],
    payloadPart: ['*', 'PayloadPartInfo'],
    lastModSeq: ['?', 'unsignedLong'],
    ...correlation,
  },
  AttributeList: { attribute: ['*', 'Attribute'] },
  Attribute: { name: ['1', 'string'], value: ['*', 'string'] },
  FlagList: { flag: ['*', 'string'], resourceURL: ['?', 'anyURI'] },
  PayloadPartInfo: {
    contentType: ['1', 'string'],
    contentId: ['?', 'string'],
    contentLocation: ['?', 'anyURI'],
    size: ['?', 'unsignedLong'],
    href: ['1', 'anyURI'],
  },
  FolderList: { folder: ['*', 'Folder'], cursor: ['?', 'string'] },
  Folder: {
    parentFolder: ['?', 'anyURI'],
    parentFolderPath: ['?', 'string'],
    attributes: ['1', 'AttributeList'],
    resourceURL: ['?', 'anyURI'],
    path: ['?', 'string'],
    name: ['?', 'string'],
    lastModSeq: ['?', 'unsignedLong'],
    cursor: ['?', 'string'],
    subFolders: ['?', 'FolderReferenceList'],
    objects: ['?', 'ObjectReferenceList'],
  },
  FolderReferenceList: { folderReference: ['*', 'Reference'] },
  ObjectReferenceList: { objectReference: ['*', 'Reference'] },
  Reference: { resourceURL: ['1', 'anyURI'], path: ['?', 'string'] },
  ReferenceList: { folders: ['1', 'FolderReferenceList'], objects: ['1', 'ObjectReferenceList'] },
  TargetSourceRef: { targetRef: ['1', 'Reference'], sourceRefs: ['1', 'ReferenceList'] },
  PathList: { path: ['+', 'string'] },
  BulkResponseList: { response: ['+', 'Response'] },
  Response: {
    code: ['1', 'unsignedShort'],
    reason: ['1', 'string'],
    success: ['?', 'Reference'],
    failure: ['?', 'RequestError'],
  },
  Empty: {},
  SelectionCriteria: {
    fromCursor: ['?', 'string'],
    maxEntries: ['1', 'unsignedInt'],
    searchCriteria: ['?', 'SearchCriteria'],
    searchScope: ['?', 'Reference'],
    nonRecursiveScope: ['?', 'boolean'],
    sortCriteria: ['?', 'SortCriteria'],
    // The schema and the examples of the specification still have it.
    sortCriterion: ['?', 'SortCriterion'],
  },
  SearchCriteria: { criterion: ['+', 'SearchCriterion'], operator: ['?', 'LogicalOperatorEnum'] },
  SearchCriterion: { type: ['1', 'SearchTypeEnum'], name: ['?', 'string'], value: ['1', 'string'] },
  SortCriteria: { criterion: ['+', 'SortCriterion'] },
  SortCriterion: { type: ['1', 'SortTypeEnum'], name: ['?', 'string'], order: ['?', 'SortOrderEnum'] },
  NmsSubscriptionList: { subscription: ['*', 'NmsSubscription'], resourceURL: ['1', 'anyURI'] },
  NmsSubscription: {
    callbackReference: ['1', 'CallbackReference'],
    duration: ['?', 'unsignedInt'],
    filter: ['?', 'SearchCriteria'],
    clientCorrelator: ['?', 'string'],
    resourceURL: ['?', 'anyURI'],
    index: ['?', 'unsignedLong'],
    restartToken: ['?', 'string'],
  },
  NmsSubscriptionUpdate: { duration: ['?', 'unsignedInt'], restartToken: ['?', 'string'] },
  NmsEventList: {
    nmsEvent: ['*', 'NmsEvent'],
    callbackData: ['?', 'string'],
    index: ['?', 'unsignedLong'],
    restartToken: ['?', 'string'],
    link: ['*', 'Link'],
  },
  NmsEvent: {
    deletedObject: ['?', 'DeletedObject'],
    deletedFolder: ['?', 'DeletedFolder'],
    expiredObject: ['?', 'DeletedObject'],
    expiredFolder: ['?', 'DeletedFolder'],
    changedObject: ['?', 'ChangedObject'],
    changedFolder: ['?', 'ChangedFolder'],
    resetBox: ['?', 'ResetBox'],
  },
  DeletedObject: { ...deleted, ...correlation },
  DeletedFolder: deleted,
  ChangedObject: {
    parentFolder: ['1', 'anyURI'],
    flags: ['1', 'FlagList'],
    resourceURL: ['1', 'anyURI'],
    lastModSeq: ['?', 'unsignedLong'],
    ...correlation,
  },
  ChangedFolder: {
    parentFolder: ['1', 'anyURI'],
    resourceURL: ['1', 'anyURI'],
    name: ['1', 'string'],
    lastModSeq: ['?', 'unsignedLong'],
  },
  ResetBox: {},
  CallbackReference: {
    notifyURL: ['1', 'anyURI'],
    callbackData: ['?', 'string'],
    notificationFormat: ['?', 'NotificationFormat'],
  },
  Link: { rel: ['@', 'string'], href: ['@', 'anyURI'] },
  RequestError: {
    link: ['*', 'Link'],
    serviceException: ['?', 'ServiceException'],
    policyException: ['?', 'PolicyException'],
  },
  ServiceException: fault,
  PolicyException: fault,
  BulkUpdate: {
    objects: ['1', 'ObjectReferenceList'],
    operation: ['1', 'BulkOperationEnum'],
    flags: ['?', 'FlagList'],
  },
  BulkDelete: { objects: ['1', 'ObjectReferenceList'] },
  NotificationChannelList: { notificationChannel: ['*', 'NotificationChannel'], resourceURL: ['1', 'anyURI'] },
  NotificationChannel: {
    clientCorrelator: ['?', 'string'],
    applicationTag: ['?', 'string'],
    channelType: ['1', 'ChannelType'],
    channelData: ['?', 'LongPollingData'],
    channelLifetime: ['?', 'unsignedInt'],
    callbackURL: ['?', 'anyURI'],
    resourceURL: ['?', 'anyURI'],
  },
  LongPollingData: { channelURL: ['?', 'anyURI'], maxNotifications: ['?', 'unsignedInt'] },
  NotificationChannelLifetime: { channelLifetime: ['1', 'unsignedInt'] },
} as const satisfies Readonly<Record<string, Readonly<Record<string, readonly [Occurs, string]>>>>

/** Of which fields there is one at most, or just one. */
export const choices: Partial<Record<StructureName, { readonly of: readonly string[]; readonly required: boolean }>> = {
  Object: { of: ['parentFolder', 'parentFolderPath'], required: false },
  Folder: { of: ['parentFolder', 'parentFolderPath'], required: false },
  Response: { of: ['success', 'failure'], required: true },
  NmsEvent: { of: Object.keys(structures.NmsEvent), required: true },
  RequestError: { of: ['serviceException', 'policyException'], required: true },
}

export const nmsNamespace = 'urn:oma:xml:rest:netapi:nms:1'
export const commonNamespace = 'urn:oma:xml:rest:netapi:common:1'
export const channelNamespace = 'urn:oma:xml:rest:netapi:notificationchannel:1'

/** What a body may be. Elements below the root are in no namespace (elementFormDefault of the schema). */
export const roots = {
  object: 'Object',
  objectList: 'ObjectList',
  flagList: 'FlagList',
  flag: 'string',
  folder: 'Folder',
  folderList: 'FolderList',
  folderReferenceList: 'FolderReferenceList',
  objectReferenceList: 'ObjectReferenceList',
  reference: 'Reference',
  targetSourceRef: 'TargetSourceRef',
  pathList: 'PathList',
  bulkResponseList: 'BulkResponseList',
  bulkUpdate: 'BulkUpdate',
  bulkDelete: 'BulkDelete',
  empty: 'Empty',
  selectionCriteria: 'SelectionCriteria',
  nmsSubscription: 'NmsSubscription',
  nmsSubscriptionList: 'NmsSubscriptionList',
  nmsSubscriptionUpdate: 'NmsSubscriptionUpdate',
  nmsEventList: 'NmsEventList',
  name: 'string',
  requestError: 'RequestError',
  notificationChannel: 'NotificationChannel',
  notificationChannelList: 'NotificationChannelList',
  notificationChannelLifetime: 'NotificationChannelLifetime',
} as const satisfies Readonly<Record<string, StructureName | 'string'>>

/** Of the roots that are not of NMS itself. */
export const otherNamespaces: Partial<Record<RootName, string>> = {
  requestError: commonNamespace,
  notificationChannel: channelNamespace,
  notificationChannelList: channelNamespace,
  notificationChannelLifetime: channelNamespace,
}

export type StructureName = keyof typeof structures
export type RootName = keyof typeof roots

interface Simple {
  readonly string: string
  readonly anyURI: string
  readonly unsignedLong: number
  readonly unsignedInt: number
  readonly unsignedShort: number
  readonly boolean: boolean
}

type Enumeration = keyof typeof enumerations

type ValueOf<Type> = Type extends keyof Simple
  ? Simple[Type]
  : Type extends Enumeration
    ? (typeof enumerations)[Type][number]
    : Type extends StructureName
      ? Structure<Type>
      : never

type FieldsOf<Name extends StructureName> = (typeof structures)[Name]
type Optional<Fields> = {
  [Key in keyof Fields]: Fields[Key] extends readonly ['?' | '*', string] ? Key : never
}[keyof Fields]
type Field<Spec> = Spec extends readonly ['*' | '+', infer Type]
  ? readonly ValueOf<Type>[]
  : Spec extends readonly [string, infer Type]
    ? ValueOf<Type>
    : never

/** A structure as it is in memory. A list that is not there is not known to be empty (§5.3.2). */
export type Structure<Name extends StructureName> = {
  readonly [Key in Exclude<keyof FieldsOf<Name>, Optional<FieldsOf<Name>>>]: Field<FieldsOf<Name>[Key]>
} & {
  readonly [Key in Optional<FieldsOf<Name>>]?: Field<FieldsOf<Name>[Key]>
}

/** What the body with that root is. */
export type RootValue<Root extends RootName> = ValueOf<(typeof roots)[Root]>
