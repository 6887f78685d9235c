// A program of check-dependency.sh that only serves: OctNetInference brings models, checkpoints and sessions alone.
import OctNetInference

let model = ModelConfiguration(name: "resnet20", alpha: 0.25, classes: 10)
let weights = try InferenceModel(model.makeNetwork(seed: 1), batchSize: 2, threads: 2)
let session = try InferenceSession(weights)
let images = (0..<2 * weights.inputShape.count).map { Float($0 % 7) / 7 }
let logits = try session.logits(images: images)
precondition(logits.count == 20 && logits.allSatisfy(\.isFinite), "found \(logits)")
print("logits of \(logits.count / 10) images")
