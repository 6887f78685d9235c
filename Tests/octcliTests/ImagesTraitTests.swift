import Testing

struct ImagesTraitTests {
  /// Without the trait, a line that says what is missing; with it, one that names the missing file.
  @Test(arguments: [
    ["predict", "--checkpoint", "none.safetensors", "none.png"], ["train", "--data", "folder:none"],
  ])
  func saysWhatIsMissing(arguments: [String]) throws {
    let runner = try CommandRunner()
    defer { runner.removeScratch() }
    let outcome = try runner.run(arguments)
    let message = try #require(outcome.errorMessage, "\(outcome)")
    let isBuiltWithout = message.contains("swift build -c release --traits Images")
    #expect(isBuiltWithout ? message.contains("libpng-dev") : message.contains("none"))
  }
}
