/// Bytes and parts that files of text may have. What readers take for the worst texts that could be thought of is in
/// docs/checkpoints.md: 14 times the bytes of JSON beside 600 bytes a key, some hundred times those of YAML and logs.
package enum FileLimit {
  /// `config.json`, `study.json`, settings in YAML.
  package static let settings = 1 << 20
  /// Names of classes, one a line.
  package static let names = 1 << 20
  /// `results.json`: four confusion matrices of a thousand classes are some 10 MB.
  package static let results = 64 << 20
  /// `log.csv` and `timing.csv`: 200,000 epochs.
  package static let log = 16 << 20
  /// The header of a safetensors file: the format's own bound.
  package static let safetensorsHeader = 100_000_000
  /// The directory of a ZIP archive: hundreds of thousands of members.
  package static let archiveDirectory = 16 << 20
  /// The description of an array in `.npy`.
  package static let arrayHeader = 1 << 16
  /// A pickle of PyTorch's, without the numbers of its tensors.
  package static let pickle = 64 << 20

  /// Values in one text of JSON, each of which takes some memory, however short it is.
  package static let values = 1_000_000
  /// The same in `results.json`.
  package static let resultValues = 16_000_000
  /// Keys in one text of JSON. Each is kept twice while an object is read.
  package static let keys = 200_000
}
