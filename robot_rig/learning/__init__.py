"""RIG (arXiv 1807.04742): the encoder, the latent distance, goals, relabelling and TD3. Called by the trainer.

Where the method's elements are: R2, R5, R11, R12, R13 in `vae`; R4, R6 in `metric`; R3, R8 in `goals`; R9 in `relabel`;
R1, R15, R16 in `td3`; R7, R10, R17, R20 in `policy`; R19 in `vae` (decode). R14 and R18, the loop that needs nobody,
are the trainer's use of these.
"""
