import Foundation
import Testing

import OctNet

/// `octcli export`; what is in the files is tested with OctNetONNX.
struct ExportTests {
  private func checkpoint(_ runner: CommandRunner, normalization: Normalization? = .cifar10) throws -> String
  {
    let model = ModelConfiguration(name: "resnet20", alpha: 0.5, classes: 7)
    let path = runner.path("oct.safetensors")
    try Checkpoint(
      model: model, normalization: normalization, state: model.makeNetwork(seed: 1).stateDictionary()
    ).write(to: path)
    return path
  }

  @Test func outputsArePrinted() throws {
    let runner = try CommandRunner()
    defer { runner.removeScratch() }
    let path = try checkpoint(runner)
    let outcome = try runner.run(
      "export", "--checkpoint", path, "--out", runner.path("model.onnx"), "--raw", "--outputs",
      "layer2,layer3")
    #expect(outcome.status == 0 && outcome.errors == "")
    #expect(
      outcome.output == """
        logits [batch, 7]
        layer2.high [batch, 16, 16, 16]
        layer2.low [batch, 16, 8, 8]
        layer3 [batch, 64, 8, 8]

        """)
    let plain = try runner.run("export", "--checkpoint", path, "--out", runner.path("plain.onnx"))
    #expect(plain.output == "logits [batch, 7]\n")
    let kept = try runner.run(
      "export", "--checkpoint", path, "--out", runner.path("kept.onnx"), "--norms", "kept")
    #expect(kept.status == 0)
    let files = try ["model", "plain", "kept"].map { try runner.data($0 + ".onnx") }
    #expect(files[0].range(of: Data("normalization".utf8)) != nil)
    #expect(files[1].range(of: Data("octnet.model".utf8)) != nil)
    #expect(files[1].range(of: Data("BatchNormalization".utf8)) == nil)
    #expect(files[2].range(of: Data("BatchNormalization".utf8)) != nil)
    // Again, over the old file: the same bytes.
    _ = try runner.run(
      "export", "--checkpoint", path, "--out", runner.path("plain.onnx"), "--norms", "folded")
    #expect(try runner.data("plain.onnx") == files[1])
  }

  @Test func failuresNameTheirCauseAndLeaveNothing() throws {
    let runner = try CommandRunner()
    defer { runner.removeScratch() }
    let path = try checkpoint(runner, normalization: nil), out = runner.path("model.onnx")
    func message(_ more: String..., out: String) throws -> String? {
      try runner.run(["export", "--checkpoint", path, "--out", out] + more).errorMessage
    }
    #expect(
      try message("--outputs", "layer7", out: out)
        == "outputs: the network has no layer layer7; it has conv1, bn1, layer1, layer2, layer3, fc")
    #expect(
      try message("--raw", out: out)
        == "\(path): does not say how pixels were normalised; add --mean and --std")
    #expect(
      try message("--raw", "--mean", ".5", "--std", ".2", out: out)
        == "mean: found 1 value, expected one for each of 3 channels")
    #expect(try message(out: runner.path("none/model.onnx"))?.contains("none/model.onnx") == true)
    #expect(!FileManager.default.fileExists(atPath: out))
  }

  @Test(arguments: [
    ["--mean", ".5,.5,.5", "--std", ".2,.2,.2"], ["--outputs", "layer1,,fc"], ["--image-size", "64"],
  ])
  func wrongUsage(_ more: [String]) throws {
    let runner = try CommandRunner()
    defer { runner.removeScratch() }
    let outcome = try runner.run(["export", "--checkpoint", "x.safetensors", "--out", "x.onnx"] + more)
    #expect(outcome.status == 64 && outcome.output == "", "\(outcome.errors)")
  }
}
