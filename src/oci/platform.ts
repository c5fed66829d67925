/** What machine a child of an index is for (image-spec, image-index, `platform`). */
export interface Platform {
  readonly architecture: string;
  readonly os: string;
  readonly variant?: string;
  readonly osVersion?: string;
}
