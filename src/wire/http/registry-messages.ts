/** Answers of /registry, as types, in the shapes of Confluent's schema registry. */

export interface RegistryError {
  readonly error_code: number;
  readonly message: string;
}

export interface RegistrySchema {
  /** The schema's JSON, as text. */
  readonly schema: string;
}

export interface RegistryId {
  readonly id: number;
}

export interface RegistryVersion {
  readonly subject: string;
  readonly version: number;
  readonly id: number;
  readonly schema: string;
}

export interface RegistryCompatibility {
  readonly is_compatible: boolean;
  readonly messages: readonly string[];
}

export interface RegistryConfig {
  readonly compatibilityLevel: string;
}
