import Foundation
import Testing

struct AugmentTests {
  private static let flags = [
    "--augment", "resized-crop,flip", "--scale", "0.3", "1", "--ratio", "0.8,1.25", "--interpolation",
    "bicubic",
    "--auto-augment", "ra", "--ra-magnitude", "5", "--ra-ops", "1", "--color-jitter", "0.4", "0.3", "0.2",
    "0.1",
    "--random-erase", "0.25", "--erase-mode", "pixel", "--aug-repeats", "2", "--cutmix", "1", "--mixup",
    "0.2",
    "--mixup-prob", "0.9", "--mixup-switch-prob", "0.4", "--class-weights", "balanced", "--balanced-sampler",
  ]

  @Test func everySettingIsKeptAndGoesOn() throws {
    let runner = try CommandRunner()
    defer { runner.removeScratch() }
    try runner.train("run", epochs: 1, Self.flags)
    let config = try #require(
      JSONSerialization.jsonObject(with: runner.data("run/config.json")) as? [String: Any])
    let augmentation = try #require(config["augmentation"] as? NSDictionary)
    let expected: NSDictionary = [
      "cropPadding": 0, "horizontalFlip": true, "repeats": 2,
      "randomResizedCrop": ["scale": [0.3, 1], "ratio": [0.8, 1.25], "interpolation": "bicubic"],
      "autoAugment": ["policy": "ra", "magnitude": 5, "ops": 1],
      "colorJitter": ["brightness": 0.4, "contrast": 0.3, "saturation": 0.2, "hue": 0.1],
      "randomErasing": [
        "probability": 0.25, "scale": [0.02, 0.33], "ratio": [0.3, 3.3], "mode": "pixel",
      ],
    ]
    #expect(augmentation == expected)
    #expect(config["cutmixAlpha"] as? Double == 1 && config["mixupProbability"] as? Double == 0.9)
    #expect(config["mixupSwitchProbability"] as? Double == 0.4)
    #expect(config["classWeights"] as? String == "balanced" && config["balancedSampler"] as? Bool == true)
    // The run's own settings are settings.
    try runner.train(
      "again", epochs: 1, ["--config", runner.path("run/config.json"), "--augment", "resized-crop,flip"])
    #expect(try runner.logRows("again") == runner.logRows("run"))
    let resumed = try runner.run("train", "--resume", runner.path("run"), "--epochs", "2")
    #expect(resumed.status == 0, "\(resumed.errors)")
    #expect(try runner.logRows("run").count == 2)
  }

  /// What a file leaves out is as by default.
  @Test func filesSayWhatTheyWant() throws {
    let runner = try CommandRunner()
    defer { runner.removeScratch() }
    try """
    augmentation:
      colorJitter: {hue: 0.1}
      randomErasing: {probability: 0.5}
      autoAugment: {policy: ta_wide}
    """.write(toFile: runner.path("settings.yaml"), atomically: true, encoding: .utf8)
    let outcome = try runner.run(
      "augment", "synthetic", "--config", runner.path("settings.yaml"), "--out", runner.path("sheet.png"),
      "--images",
      "4")
    #expect(outcome.status == 0, "\(outcome.errors)")
    #expect(outcome.output == "\(runner.path("sheet.png")): 4 images of epoch 1\n")
    let sheet = try runner.data("sheet.png")
    #expect(sheet.prefix(8) == Data([0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]))
    let again = try runner.run(
      "augment", "synthetic", "--config", runner.path("settings.yaml"), "--out", runner.path("again.png"),
      "--images",
      "4", "--threads", "1")
    #expect(again.status == 0)
    #expect(try runner.data("again.png") == sheet)
    let other = try runner.run(
      "augment", "synthetic", "--config", runner.path("settings.yaml"), "--out", runner.path("other.png"),
      "--images",
      "4", "--epoch", "2")
    #expect(other.status == 0)
    #expect(try runner.data("other.png") != sheet)
  }

  /// What belongs to settings that may stand in a file is known when all are together.
  @Test(arguments: [
    ["--mixup-prob", "0.5"], ["--cutmix", "1", "--mixup-switch-prob", "0.5"],
  ])
  func settingsThatBelongToOthers(arguments: [String]) throws {
    let runner = try CommandRunner()
    defer { runner.removeScratch() }
    let outcome = try runner.run(["augment", "--out", runner.path("sheet.png")] + arguments)
    #expect(outcome.errorMessage?.contains("belongs to mixupAlpha") == true, "\(outcome.errors)")
  }

  @Test(arguments: [
    ["--augment", "crop,resized-crop"], ["--scale", "0.5", "1"],
    ["--augment", "resized-crop", "--scale", "1", "0.5"],
    ["--augment", "resized-crop", "--interpolation", "nearest"], ["--ra-magnitude", "3"],
    ["--auto-augment", "ra", "--ra-magnitude", "31"], ["--auto-augment", "ta_wide", "--ra-ops", "3"],
    ["--color-jitter", "0.4", "0.4"], ["--color-jitter", "0", "0", "0", "0.7"], ["--random-erase", "2"],
    ["--erase-mode", "pixel"], ["--aug-repeats", "0"], ["--cutmix", "0"], ["--mixup-prob", "1.5"],
    ["--class-weights", "some"],
  ])
  func wrongUsage(arguments: [String]) throws {
    let runner = try CommandRunner()
    defer { runner.removeScratch() }
    let outcome = try runner.run(["augment", "--out", runner.path("sheet.png")] + arguments)
    #expect(outcome.status == 64, "\(outcome.errors)")
    #expect(!FileManager.default.fileExists(atPath: runner.path("sheet.png")))
  }
}
