"""RIG (arXiv 1807.04742): the encoder, the latent distance, goals, relabelling and TD3. Called by the trainer.

Where to find the method's elements: R2, R5, R11-R13 `vae`; R4, R6 `metric`; R3, R8 `goals`; R9 `relabel`; R1, R15, R16
`td3`; R7, R10, R17, R20 `policy`; R14, R18, R19 are the trainer's and the stages' use of these.
"""
