// A network that knows six classes learns four others from twenty images each: with the first stages frozen and a faster
// classifier, with everything trained alike, and from nothing.
import Foundation
import OctNet

let threads = min(ProcessInfo.processInfo.activeProcessorCount, 8)
let all = SyntheticImages(trainCount: 5000, testCount: 2000).split()
func split(_ classes: [Int], imagesOfEach limit: Int = .max) -> DataSplit {
  DataSplit(
    train: FewClasses(all.train, classes: classes, imagesOfEach: limit),
    test: FewClasses(all.test, classes: classes), normalization: all.normalization)
}
func model(classes: Int) -> ModelConfiguration {
  ModelConfiguration(name: "resnet20", alpha: 0.25, classes: classes)
}

/// - Returns: the test accuracy and the seconds that training took.
func train(
  _ network: Network, on data: DataSplit, epochs: Int, rate: Double, frozen: [String]? = nil,
  groups: [ParameterGroup]? = nil
) throws -> (accuracy: Double, seconds: Double) {
  let configuration = TrainingConfiguration(
    model: nil, epochs: epochs, batchSize: 20, optimizer: .sgd,
    schedule: LearningRateSchedule(base: rate, shape: .cosine), normalization: data.normalization,
    threads: threads, evaluateEvery: epochs, frozen: frozen, parameterGroups: groups)
  let summary = try Trainer(network: network, configuration: configuration, data: data).run()
  return (summary.results.last?.evaluation.top1 ?? 0, summary.seconds)
}

func show(_ name: String, _ result: (accuracy: Double, seconds: Double)) {
  print(String(format: "%@: %.1f %% of the test images, %.1f s", name, 100 * result.accuracy, result.seconds))
}

let pretrained = try model(classes: 6).makeNetwork(seed: 1)
show("six classes", try train(pretrained, on: split(Array(0..<6)), epochs: 3, rate: 0.05))

// What a checkpoint would hold; its classifier is for six classes, and the network's own stays.
let state = pretrained.stateDictionary()
let few = split([6, 7, 8, 9], imagesOfEach: 20)

let tuned = try model(classes: 4).makeNetwork(seed: 2)
let report = try tuned.loadPretrained(state)
for line in report.lines { print("pretrained weights: \(line)") }
// The stem and two of three stages stay as they are: no backward pass below, and norms with the statistics they have.
show(
  "four others, two stages frozen",
  try train(
    tuned, on: few, epochs: 15, rate: 0.01, frozen: ["conv1", "bn1", "layer1", "layer2"],
    groups: [ParameterGroup("fc", learningRateScale: 10)]))

let whole = try model(classes: 4).makeNetwork(seed: 2)
try whole.loadPretrained(state)
show("four others, all trained", try train(whole, on: few, epochs: 15, rate: 0.01))

show(
  "four others, from nothing",
  try train(model(classes: 4).makeNetwork(seed: 2), on: few, epochs: 15, rate: 0.01))
